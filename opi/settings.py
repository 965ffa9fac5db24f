"""`settings.ini`: where the Data Browser finds the archive."""

from __future__ import annotations

FILE = "settings.ini"

TEXT = """\
# For Phoebus: phoebus.sh -settings settings.ini, or these lines in the site's own file.
# Put the archiver's host and port (http: of its configuration) in the place of localhost:17668.

# What the Data Browser offers in its search: | gives a name, * separates.
org.csstudio.trends.databrowser3/urls=json:http://localhost:17668;key=1|ArchIOC*pbraw://localhost:17668/retrieval|ArchIOC (appliance)

# Where every new trace looks, in this order. json: shows gaps; one is enough.
org.csstudio.trends.databrowser3/archives=json:http://localhost:17668;key=1|ArchIOC
org.csstudio.trends.databrowser3/use_default_archives=true

# A source that fails once stays with its trace.
org.csstudio.trends.databrowser3/drop_failed_archives=false
"""
