// The dump: copies the notes that were listed into entries.

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "moments.h"

uint8_t *generated_pattern(size_t size) {
    static const char line[] = "A note that nobody wrote: it is here to see how much is carried\n";
    _Static_assert(sizeof line == 65, "a line of the pattern has 64 bytes");
    uint8_t *pattern = malloc(size + 64);
    for (size_t at = 0; at < size + 64; at++) pattern[at] = (uint8_t)line[at % 64];
    return pattern;
}

static bool write_chunk(dumprestore_driver_archive_own_entry_writer_t entry, uint8_t *chunk, size_t size, failure_t *failure) {
    driver_list_u8_t list = {.ptr = chunk, .len = size};
    return dumprestore_driver_archive_method_entry_writer_write(dumprestore_driver_archive_borrow_entry_writer(entry), &list, failure);
}

static bool finish(dumprestore_driver_archive_own_entry_writer_t entry, failure_t *failure) {
    return dumprestore_driver_archive_method_entry_writer_finish(dumprestore_driver_archive_borrow_entry_writer(entry), failure);
}

static bool copy_content(int file, const char *name, uint8_t *buffer, size_t room, dumprestore_driver_archive_own_entry_writer_t entry,
                         failure_t *failure) {
    for (;;) {
        ssize_t got = read(file, buffer, room);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(failure, "read", name);
        if (got == 0) return finish(entry, failure);
        if (!write_chunk(entry, buffer, (size_t)got, failure)) return false;
    }
}

static bool same_stamp(const note_t *note, const struct stat *status) {
    return note->size == (uint64_t)status->st_size && note->modified.tv_sec == status->st_mtim.tv_sec &&
           note->modified.tv_nsec == status->st_mtim.tv_nsec;
}

static void report(dumprestore_driver_control_finding_kind_t kind, const char *name, const char *message) {
    driver_string_t name_text, message_text;
    driver_string_set(&name_text, name);
    driver_string_set(&message_text, message);
    dumprestore_driver_control_finding(kind, &name_text, &message_text);
}

static bool dump_open(int file, const note_t *note, uint8_t *buffer, size_t room, dumprestore_driver_archive_borrow_writer_t into,
                      failure_t *failure) {
    struct stat before, after;
    if (fstat(file, &before) != 0) return fail_errno(failure, "look at", note->name);
    dumprestore_driver_archive_entry_t described = {0};
    driver_string_set(&described.name, note->name);
    described.modified.is_some = true;
    described.modified.val.seconds = before.st_mtim.tv_sec;
    described.modified.val.nanoseconds = (uint32_t)before.st_mtim.tv_nsec;
    dumprestore_driver_archive_own_entry_writer_t entry;
    if (!dumprestore_driver_archive_method_writer_create(into, &described, &entry, failure)) return false;
    bool copied = copy_content(file, note->name, buffer, room, entry, failure);
    dumprestore_driver_archive_entry_writer_drop_own(entry);
    if (copied && (!same_stamp(note, &before) || fstat(file, &after) != 0 || !same_stamp(note, &after))) {
        report(DUMPRESTORE_DRIVER_CONTROL_FINDING_KIND_CHANGED, note->name, "it changed after it was listed");
    }
    return copied;
}

static bool dump_note(const config_t *config, const note_t *note, uint8_t *buffer, dumprestore_driver_archive_borrow_writer_t into,
                      failure_t *failure) {
    char *path = directory_path(config->directory, note->name);
    int file = open(path, O_RDONLY | O_NOFOLLOW);
    free(path);
    if (file < 0 && errno == ENOENT) {
        report(DUMPRESTORE_DRIVER_CONTROL_FINDING_KIND_VANISHED, note->name, "it was gone when it was to be copied");
        return true;
    }
    if (file < 0) return fail_errno(failure, "read", note->name);
    bool dumped = dump_open(file, note, buffer, config->chunk, into, failure);
    close(file);
    return dumped;
}

static bool generate(const config_t *config, dumprestore_driver_archive_borrow_writer_t into, failure_t *failure) {
    dumprestore_driver_archive_entry_t described = {0};
    driver_tuple2_string_string_t attribute;
    driver_string_set(&described.name, GENERATED);
    driver_string_set(&attribute.f0, GENERATED_KEY);
    driver_string_set(&attribute.f1, "true");
    described.attributes = (driver_list_tuple2_string_string_t){.ptr = &attribute, .len = 1};
    dumprestore_driver_archive_own_entry_writer_t entry;
    if (!dumprestore_driver_archive_method_writer_create(into, &described, &entry, failure)) return false;
    uint8_t *pattern = generated_pattern(config->chunk);
    bool written = true;
    for (uint64_t done = 0, size; written && done < config->generate; done += size) {
        size = config->generate - done < config->chunk ? config->generate - done : config->chunk;
        written = write_chunk(entry, pattern + done % 64, (size_t)size, failure);
    }
    written = written && finish(entry, failure);
    free(pattern);
    dumprestore_driver_archive_entry_writer_drop_own(entry);
    return written;
}

bool dump_notes(const config_t *config, const list_t *notes, dumprestore_driver_archive_borrow_writer_t into, failure_t *failure) {
    uint8_t *buffer = malloc(config->chunk);
    bool dumped = true;
    for (size_t at = 0; dumped && at < notes->count; at++) {
        dumped = !dumprestore_driver_control_cancelled() || fail(failure, KIND(CANCELLED), "cancelled");
        dumped = dumped && dump_note(config, &notes->notes[at], buffer, into, failure);
        uint64_t total = notes->count;
        dumprestore_driver_control_progress(at + 1, &total, DUMPRESTORE_DRIVER_CONTROL_UNIT_ENTRIES);
    }
    free(buffer);
    return dumped && (config->generate == 0 || generate(config, into, failure));
}
