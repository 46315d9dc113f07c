// notes-c: the files of a granted directory, in C. What it says of itself, and its moments; `dump` and `restore` carry them out.
//
// It is an example and a test of the contract: it keeps in memory what `before-dump` found, and its configuration can make any
// moment fail with any kind of error, or let it write as much as is wanted.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "moments.h"

static const char schema[] =
    "{\"type\": \"object\", \"properties\": {"
    "\"directory\": {\"type\": \"string\", \"pattern\": \"^/.\", \"description\": \"The directory, by the path under which it is granted: `/notes`.\"},"
    "\"chunk\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 1048576, \"default\": 262144,"
    " \"description\": \"How many bytes travel at once.\"},"
    "\"generate\": {\"type\": \"integer\", \"minimum\": 0, \"default\": 0,"
    " \"description\": \"For tests: one more entry of so many bytes, which the driver makes up.\"},"
    "\"fail\": {\"enum\": [\"invalid-config\", \"unavailable\", \"permission-denied\", \"not-found\", \"unsupported\", \"corrupt\","
    " \"cancelled\", \"other\"], \"description\": \"For tests: the error that `fail_in` returns.\"},"
    "\"fail_in\": {\"enum\": [\"before-dump\", \"link-values\", \"dump\", \"after-dump\", \"before-restore\", \"restore\", \"after-restore\"],"
    " \"default\": \"dump\", \"description\": \"For tests: the moment that fails.\"}"
    "}, \"required\": [\"directory\"], \"additionalProperties\": false}";

static memory_t memory;

static void forget(void) {
    list_free(&memory.notes);
    list_free(&memory.doomed);
    memory.ready = false;
}

// What a driver that was linked with the object file of its world's type would call: the build adds the type itself.
void __component_type_object_force_link_driver(void) {}

static exports_dumprestore_driver_moments_need_t need(exports_dumprestore_driver_moments_capability_t capability, const char *reason,
                                                      bool optional) {
    exports_dumprestore_driver_moments_need_t need = {.capability = capability, .optional = optional};
    driver_string_dup(&need.target, "/directory");
    driver_string_dup(&need.reason, reason);
    return need;
}

void exports_dumprestore_driver_moments_describe(exports_dumprestore_driver_moments_description_t *ret) {
    *ret = (exports_dumprestore_driver_moments_description_t){.worth = EXPORTS_DUMPRESTORE_DRIVER_MOMENTS_WORTH_INTERVAL, .has_names = true};
    driver_string_dup(&ret->name, "notes-c");
    driver_string_dup(&ret->version, "0.1.0");
    driver_string_dup(&ret->summary, "the files of a directory of notes");
    driver_string_dup(&ret->config_schema, schema);
    ret->needs.ptr = malloc(2 * sizeof *ret->needs.ptr);
    ret->needs.len = 2;
    ret->needs.ptr[0] = need(EXPORTS_DUMPRESTORE_DRIVER_MOMENTS_CAPABILITY_READ_DIRECTORY, "to dump the notes in it", false);
    ret->needs.ptr[1] = need(EXPORTS_DUMPRESTORE_DRIVER_MOMENTS_CAPABILITY_WRITE_DIRECTORY, "to restore them", true);
    ret->formats.ptr = malloc(sizeof *ret->formats.ptr);
    ret->formats.len = 1;
    driver_string_dup(&ret->formats.ptr[0], FORMAT);
}

// Begins a moment: reads the configuration, and fails where that says so.
static bool begin(const exports_dumprestore_driver_moments_context_t *context, const char *moment, config_t *config, failure_t *failure) {
    if (!config_read(context->config, config)) return fail(failure, KIND(INVALID_CONFIG), "the configuration cannot be read");
    if (strcmp(config->fail, "") == 0 || strcmp(config->fail_in, moment) != 0) return true;
    fail(failure, kind_of(config->fail), "`%s` fails with `%s`, as the configuration says", moment, config->fail);
    with_hint(failure, "take `fail` out of the configuration");
    with_context(failure, "moment", moment);
    failure->retryable = failure->kind == KIND(UNAVAILABLE);
    config_free(config);
    return false;
}

static bool out_of_order(const char *moment, failure_t *failure) {
    return fail(failure, KIND(OTHER), "`%s` was called without the moment before it", moment);
}

bool exports_dumprestore_driver_moments_before_dump(exports_dumprestore_driver_moments_context_t *context,
                                                    exports_dumprestore_driver_moments_point_in_time_t *ret, failure_t *err) {
    config_t config;
    struct timespec now;
    bool done = begin(context, "before-dump", &config, err);
    if (done) {
        forget();
        clock_gettime(CLOCK_REALTIME, &now);
        done = memory.ready = directory_list(config.directory, &memory.notes, NULL, err);
        config_free(&config);
    }
    if (done) {
        *ret = (exports_dumprestore_driver_moments_point_in_time_t){.worth = EXPORTS_DUMPRESTORE_DRIVER_MOMENTS_WORTH_INTERVAL};
        ret->at.seconds = now.tv_sec;
        ret->at.nanoseconds = (uint32_t)now.tv_nsec;
    }
    exports_dumprestore_driver_moments_context_free(context);
    return done;
}

bool exports_dumprestore_driver_moments_link_values(exports_dumprestore_driver_moments_context_t *context,
                                                    exports_dumprestore_driver_moments_link_column_t *column,
                                                    exports_dumprestore_driver_moments_own_link_sink_t into, failure_t *err) {
    config_t config;
    if (begin(context, "link-values", &config, err)) {
        fail(err, KIND(UNSUPPORTED), "notes have no columns for a link to start from");
        config_free(&config);
    }
    dumprestore_driver_archive_link_sink_drop_own(into);
    exports_dumprestore_driver_moments_link_column_free(column);
    exports_dumprestore_driver_moments_context_free(context);
    return false;
}

static void note_count(exports_dumprestore_driver_moments_outcome_t *outcome, const char *what, uint64_t count) {
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    *outcome = (exports_dumprestore_driver_moments_outcome_t){0};
    driver_string_dup(&outcome->format, FORMAT);
    outcome->notes.ptr = malloc(sizeof *outcome->notes.ptr);
    outcome->notes.len = 1;
    driver_string_dup(&outcome->notes.ptr[0].f0, what);
    driver_string_dup(&outcome->notes.ptr[0].f1, digits);
}

bool exports_dumprestore_driver_moments_dump(exports_dumprestore_driver_moments_context_t *context,
                                             exports_dumprestore_driver_moments_own_writer_t into,
                                             exports_dumprestore_driver_moments_outcome_t *ret, failure_t *err) {
    config_t config;
    bool done = begin(context, "dump", &config, err);
    if (done) {
        done = memory.ready || out_of_order("dump", err);
        done = done && dump_notes(&config, &memory.notes, dumprestore_driver_archive_borrow_writer(into), err);
        config_free(&config);
    }
    if (done) note_count(ret, "notes", memory.notes.count);
    dumprestore_driver_archive_writer_drop_own(into);
    exports_dumprestore_driver_moments_context_free(context);
    return done;
}

// `after-dump` and `after-restore`: forgets what the moments before them found.
static bool end(exports_dumprestore_driver_moments_context_t *context, const char *moment, exports_dumprestore_driver_moments_ended_t *ended,
                failure_t *err) {
    config_t config;
    forget();
    bool done = begin(context, moment, &config, err);
    if (done) config_free(&config);
    exports_dumprestore_driver_moments_ended_free(ended);
    exports_dumprestore_driver_moments_context_free(context);
    return done;
}

bool exports_dumprestore_driver_moments_after_dump(exports_dumprestore_driver_moments_context_t *context,
                                                   exports_dumprestore_driver_moments_ended_t *ended, failure_t *err) {
    return end(context, "after-dump", ended, err);
}

bool exports_dumprestore_driver_moments_before_restore(exports_dumprestore_driver_moments_context_t *context,
                                                       exports_dumprestore_driver_moments_own_reader_t source, failure_t *err) {
    config_t config;
    bool done = begin(context, "before-restore", &config, err);
    if (done) {
        forget();
        done = memory.ready =
            restore_check(&config, context->extra, dumprestore_driver_archive_borrow_reader(source), &memory.doomed, err);
        config_free(&config);
    }
    dumprestore_driver_archive_reader_drop_own(source);
    exports_dumprestore_driver_moments_context_free(context);
    return done;
}

bool exports_dumprestore_driver_moments_restore(exports_dumprestore_driver_moments_context_t *context,
                                                exports_dumprestore_driver_moments_own_reader_t source,
                                                exports_dumprestore_driver_moments_outcome_t *ret, failure_t *err) {
    config_t config;
    uint64_t written = 0;
    bool done = begin(context, "restore", &config, err);
    if (done) {
        done = memory.ready || out_of_order("restore", err);
        done = done && restore_notes(&config, &memory.doomed, dumprestore_driver_archive_borrow_reader(source), &written, err);
        config_free(&config);
    }
    if (done) note_count(ret, "written", written);
    dumprestore_driver_archive_reader_drop_own(source);
    exports_dumprestore_driver_moments_context_free(context);
    return done;
}

bool exports_dumprestore_driver_moments_after_restore(exports_dumprestore_driver_moments_context_t *context,
                                                      exports_dumprestore_driver_moments_ended_t *ended, failure_t *err) {
    return end(context, "after-restore", ended, err);
}
