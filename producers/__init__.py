"""Publishes to the streams: session changes, and requests that a person, cron, the command line or HTTP makes."""
