"""What state.db and the table's settings hold: channels, groups, operators' overrides, audit, backups."""
