"""The demo: a small storage ring on a real soft IOC, archived by a real archiver, watched by an independent client.

Everything here drives the archiver from outside, through its command line and Channel Access, as a user does.
"""
