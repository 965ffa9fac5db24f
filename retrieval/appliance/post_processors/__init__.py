"""The post-processors of the protocol: what is asked for as `mean_60(CHANNEL)`, and the samples that they give."""
