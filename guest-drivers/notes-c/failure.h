// Errors as the contract has them.
#ifndef NOTES_FAILURE_H
#define NOTES_FAILURE_H

#include <stdbool.h>

#include "gen/driver.h"

typedef dumprestore_driver_types_error_t failure_t;
typedef dumprestore_driver_types_error_kind_t kind_t;

#define KIND(name) DUMPRESTORE_DRIVER_TYPES_ERROR_KIND_##name

// Fills in an error; always false, so that a moment can return it. The message is a format as printf has it.
bool fail(failure_t *failure, kind_t kind, const char *message, ...) __attribute__((format(printf, 3, 4)));

// The same for a call of the operating system that has just set `errno`.
bool fail_errno(failure_t *failure, const char *what, const char *name);

// Adds what the user can do about it; always false.
bool with_hint(failure_t *failure, const char *hint);

// Adds a named detail; always false.
bool with_context(failure_t *failure, const char *key, const char *value);

// A name for people, in memory of its own: control characters are escaped, as the host escapes them.
char *shown(driver_string_t name);

// The kind of this name: `corrupt`.
kind_t kind_of(const char *name);

#endif
