// Errors as the contract has them. What is returned is freed by the bindings: every part of it stands in memory of its own.

#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fail(failure_t *failure, kind_t kind, const char *message, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, message);
    if (vasprintf(&text, message, arguments) < 0) abort();
    va_end(arguments);
    *failure = (failure_t){.kind = kind};
    failure->message = (driver_string_t){.ptr = (uint8_t *)text, .len = strlen(text)};
    return false;
}

bool fail_errno(failure_t *failure, const char *what, const char *name) {
    kind_t kind = KIND(OTHER);
    if (errno == ENOENT) kind = KIND(NOT_FOUND);
    if (errno == EACCES || errno == EPERM || errno == EROFS || errno == ENOTCAPABLE) kind = KIND(PERMISSION_DENIED);
    if (errno == ENOSPC || errno == EDQUOT) kind = KIND(UNAVAILABLE);
    return fail(failure, kind, "cannot %s `%s`: %s", what, name, strerror(errno));
}

bool with_hint(failure_t *failure, const char *hint) {
    failure->hint.is_some = true;
    driver_string_dup(&failure->hint.val, hint);
    return false;
}

bool with_context(failure_t *failure, const char *key, const char *value) {
    size_t number = failure->context.len;
    failure->context.ptr = realloc(failure->context.ptr, (number + 1) * sizeof *failure->context.ptr);
    failure->context.len = number + 1;
    driver_string_dup(&failure->context.ptr[number].f0, key);
    driver_string_dup(&failure->context.ptr[number].f1, value);
    return false;
}

char *shown(driver_string_t name) {
    static const char controls[] = "\t\r\n";
    char *text = malloc(name.len * 6 + 1), *out = text;
    for (size_t at = 0; at < name.len; at++) {
        unsigned byte = name.ptr[at];
        const char *known = byte == 0 ? NULL : strchr(controls, (int)byte);
        if (known != NULL) {
            out += sprintf(out, "\\%c", "trn"[known - controls]);
        } else if (byte < 0x20 || byte == 0x7F) {
            out += sprintf(out, "\\u{%x}", byte);
        } else {
            *out++ = (char)byte;
        }
    }
    *out = '\0';
    return text;
}

kind_t kind_of(const char *name) {
    static const char *const names[] = {
        "invalid-config", "unavailable", "permission-denied", "not-found", "unsupported", "corrupt", "cancelled",
    };
    kind_t kind = 0;
    while (kind < KIND(OTHER) && strcmp(name, names[kind]) != 0) kind++;
    return kind;
}
