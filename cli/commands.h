/* The commands, one table each; cli/main.c lists them. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

extern const struct command command_init;
extern const struct command command_token;
extern const struct command command_capture;
extern const struct command command_apply;
extern const struct command command_sync;
extern const struct command command_run;
extern const struct command command_export;
extern const struct command command_import;
extern const struct command command_status;
extern const struct command command_log;
extern const struct command command_history;
extern const struct command command_blame;
extern const struct command command_conflicts;
extern const struct command command_quarantine;
extern const struct command command_peers;
extern const struct command command_diff;
extern const struct command command_verify;
extern const struct command command_resync;
extern const struct command command_schema;

#endif
