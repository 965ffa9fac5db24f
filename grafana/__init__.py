"""Dashboards and alert rules for Grafana, written in Python; `python -m grafana` makes the files that Grafana reads."""
