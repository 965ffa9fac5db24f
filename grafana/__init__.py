"""Dashboards and alert rules for Grafana, written in Python; `python -m archioc.grafana` makes the files that Grafana reads."""
