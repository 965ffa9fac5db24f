"""From updates to samples: time stamps, rate limits, dead bands, quotas, arrays, alarms."""
