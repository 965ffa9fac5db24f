"""epicsarchiver-mgmt-client: all of its calls that read."""

import json
import sys

from epicsarchiver_mgmt.archiver.mgmt import ArchiverMgmt
from epicsarchiver_mgmt.archiver.reports import ArchiverReports
from epicsarchiver_mgmt.models.stat_responses import DroppedReason

host, port, name = sys.argv[1:]
mgmt, reports = ArchiverMgmt(host, int(port)), ArchiverReports(host, int(port))
json.dump(
    {
        "identity": mgmt.identity,
        "names": mgmt.get_all_pvs(regex=f"{name}.*", limit=-1),
        "expanded": mgmt.get_all_expanded_pvs(),
        "status": mgmt.get_pv_status(name),
        "archiving": mgmt.get_archiving_status(name),
        "details": mgmt.get_pv_details(name),
        "type": mgmt.get_pv_type_info(name),
        "archived": mgmt.get_archived_pvs([name, "NONE"]),
        "unarchived": mgmt.get_unarchived_pvs([name, "NONE"]),
        "policies": mgmt.get_policy_list(),
        "never": mgmt.never_connected_pvs,
        "appliances": len(mgmt.appliances_in_cluster),
        "dropped": [str(one) for reason in DroppedReason for one in reports.get_pvs_dropped(reason)],
        "reports": [
            len(report())
            for report in (
                reports.get_disconnected_pvs,
                reports.get_silent_pvs,
                reports.get_lost_connections_pvs,
                reports.get_storage_rates,
                reports.get_paused_pvs,
            )
        ],
        "detail": {label.name: text for label, text in reports.get_pv_detail(name).items()},
    },
    sys.stdout,
)
