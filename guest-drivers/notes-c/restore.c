// The restore: checks what the archive and the directory hold, then brings the directory to what the archive has.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "moments.h"

#define PAGE 500

typedef bool (*each_t)(const dumprestore_driver_archive_entry_info_t *info, void *with, failure_t *failure);

// Gives every entry to `each`.
static bool each_entry(dumprestore_driver_archive_borrow_reader_t source, each_t each, void *with, failure_t *failure) {
    dumprestore_driver_archive_own_entries_t entries;
    if (!dumprestore_driver_archive_method_reader_entries(source, &entries, failure)) return false;
    bool went = true, more = true;
    while (went && more) {
        dumprestore_driver_archive_list_entry_info_t page;
        went = dumprestore_driver_archive_method_entries_next(dumprestore_driver_archive_borrow_entries(entries), PAGE, &page, failure);
        if (!went) break;
        more = page.len > 0;
        for (size_t at = 0; went && at < page.len; at++) {
            went = !dumprestore_driver_control_cancelled() || fail(failure, KIND(CANCELLED), "cancelled");
            went = went && each(&page.ptr[at], with, failure);
        }
        dumprestore_driver_archive_list_entry_info_free(&page);
    }
    dumprestore_driver_archive_entries_drop_own(entries);
    return went;
}

static bool is_generated(const dumprestore_driver_archive_entry_t *entry) {
    for (size_t at = 0; at < entry->attributes.len; at++) {
        driver_string_t key = entry->attributes.ptr[at].f0;
        if (key.len == strlen(GENERATED_KEY) && memcmp(key.ptr, GENERATED_KEY, key.len) == 0) return true;
    }
    return false;
}

// Whether a directory can hold a file of this name, and a dump can take it again.
static bool can_be_held(driver_string_t name) {
    const char *segment = (const char *)name.ptr, *end = segment + name.len;
    if (memchr(segment, 0, name.len) != NULL || memchr(segment, '\\', name.len) != NULL) return false;
    for (;;) {
        const char *slash = memchr(segment, '/', (size_t)(end - segment));
        size_t length = (size_t)((slash == NULL ? end : slash) - segment);
        if (length == 0 || length > 255) return false;
        if (segment[0] == '.' && (length == 1 || (length == 2 && segment[1] == '.'))) return false;
        if (slash == NULL) return true;
        segment = slash + 1;
    }
}

static char *text_of(driver_string_t string) {
    return strndup((const char *)string.ptr, string.len);
}

static bool refuse_name(failure_t *failure, const char *why, const char *name) {
    fail(failure, KIND(UNSUPPORTED), "the archive holds a name that a directory cannot hold%s", why);
    failure->untouched = true;
    return with_context(failure, "name", name);
}

typedef struct {
    list_t files;
    list_t directories;
} names_t;

static bool add_name(const dumprestore_driver_archive_entry_info_t *info, void *with, failure_t *failure) {
    names_t *names = with;
    if (is_generated(&info->entry)) return true;
    if (!can_be_held(info->entry.name)) {
        char *told = shown(info->entry.name);
        refuse_name(failure, "", told);
        free(told);
        return false;
    }
    char *name = text_of(info->entry.name);
    list_add(&names->files, name, strlen(name), info->size, (struct timespec){0});
    for (char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        list_add(&names->directories, name, (size_t)(slash - name), 0, (struct timespec){0});
    }
    free(name);
    return true;
}

// Whether a file stands where the archive has a directory, or below a name where it has a file.
static bool is_in_the_way(const names_t *names, const char *name) {
    if (list_has(&names->directories, name)) return true;
    char *above = strdup(name);
    bool found = false;
    for (char *slash = strchr(above, '/'); !found && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        found = list_has(&names->files, above);
        *slash = '/';
    }
    free(above);
    return found;
}

static bool refuse_extra(failure_t *failure, const char *message, const char *hint, const char *name) {
    fail(failure, KIND(OTHER), "%s", message);
    failure->untouched = true;
    with_hint(failure, hint);
    return with_context(failure, "extra", name);
}

static bool judge_extras(const names_t *names, const list_t *there, exports_dumprestore_driver_moments_extra_t extra, list_t *doomed,
                         failure_t *failure) {
    for (size_t at = 0; at < there->count; at++) {
        const char *name = there->notes[at].name;
        if (list_has(&names->files, name)) continue;
        if (extra == EXPORTS_DUMPRESTORE_DRIVER_MOMENTS_EXTRA_DELETE) {
            list_add(doomed, name, strlen(name), 0, (struct timespec){0});
        } else if (is_in_the_way(names, name)) {
            return refuse_extra(failure, "a file is in the way of what the archive holds", "move it away, or let `--extra delete` delete it",
                                name);
        } else if (extra == EXPORTS_DUMPRESTORE_DRIVER_MOMENTS_EXTRA_REFUSE) {
            return refuse_extra(failure, "the target holds a file that the archive lacks",
                                "`--extra keep` leaves such files where they are, `--extra delete` deletes them", name);
        }
    }
    return true;
}

static bool check_clashes(const names_t *names, failure_t *failure) {
    for (size_t at = 0; at < names->files.count; at++) {
        const char *name = names->files.notes[at].name;
        bool twice = at > 0 && strcmp(name, names->files.notes[at - 1].name) == 0;
        if (twice || list_has(&names->directories, name)) return refuse_name(failure, " beside others", name);
    }
    return true;
}

bool restore_check(const config_t *config, exports_dumprestore_driver_moments_extra_t extra,
                   dumprestore_driver_archive_borrow_reader_t source, list_t *doomed, failure_t *failure) {
    names_t names = {0};
    list_t there = {0};
    bool fine = each_entry(source, add_name, &names, failure);
    list_sort(&names.files);
    list_sort(&names.directories);
    fine = fine && check_clashes(&names, failure);
    struct stat status;
    if (fine && (stat(config->directory, &status) == 0 || errno != ENOENT)) {
        fine = directory_list(config->directory, &there, doomed, failure) && judge_extras(&names, &there, extra, doomed, failure);
    }
    list_free(&there);
    list_free(&names.files);
    list_free(&names.directories);
    return fine;
}

typedef struct {
    const config_t *config;
    dumprestore_driver_archive_borrow_reader_t source;
    uint64_t written;
    uint64_t seen;
    uint64_t total;
} restore_t;

// The next chunk; `more` is false at the end. The chunk is the caller's.
static bool read_chunk(const restore_t *restore, dumprestore_driver_archive_own_entry_reader_t entry, driver_list_u8_t *chunk, bool *more,
                       failure_t *failure) {
    driver_option_list_u8_t read;
    dumprestore_driver_archive_borrow_entry_reader_t borrowed = dumprestore_driver_archive_borrow_entry_reader(entry);
    if (!dumprestore_driver_archive_method_entry_reader_read(borrowed, restore->config->chunk, &read, failure)) return false;
    *more = read.is_some;
    if (read.is_some) *chunk = read.val;
    return true;
}

static bool write_all(int file, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno != EINTR) return false;
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return true;
}

static bool copy_content(const restore_t *restore, dumprestore_driver_archive_own_entry_reader_t entry, int file, const char *name,
                         failure_t *failure) {
    driver_list_u8_t chunk;
    bool more;
    for (;;) {
        if (!read_chunk(restore, entry, &chunk, &more, failure)) return false;
        if (!more) return true;
        bool written = write_all(file, chunk.ptr, chunk.len) || fail_errno(failure, "write", name);
        driver_list_u8_free(&chunk);
        if (!written) return false;
    }
}

static bool compare_generated(const restore_t *restore, dumprestore_driver_archive_own_entry_reader_t entry, failure_t *failure) {
    driver_list_u8_t chunk;
    bool more = true, same = true;
    uint8_t *pattern = generated_pattern(restore->config->chunk);
    for (uint64_t done = 0; same; done += chunk.len) {
        same = read_chunk(restore, entry, &chunk, &more, failure);
        if (!same || !more) break;
        same = memcmp(chunk.ptr, pattern + done % 64, chunk.len) == 0 ||
               fail(failure, KIND(CORRUPT), "`%s` is not what the dump made up", GENERATED);
        driver_list_u8_free(&chunk);
    }
    free(pattern);
    return same;
}

static bool put_note(const restore_t *restore, const dumprestore_driver_archive_entry_info_t *info, const char *name,
                     dumprestore_driver_archive_own_entry_reader_t entry, failure_t *failure) {
    char *path = directory_path(restore->config->directory, name), *temporary = directory_temporary(path);
    bool put = directory_make_above(path, failure);
    int file = put ? open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666) : -1;
    if (put && file < 0) put = fail_errno(failure, "write", name);
    if (file >= 0) {
        put = copy_content(restore, entry, file, name, failure);
        if (put && info->entry.modified.is_some) {
            dumprestore_driver_archive_timestamp_t modified = info->entry.modified.val;
            struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = modified.seconds, .tv_nsec = (long)modified.nanoseconds}};
            put = futimens(file, times) == 0 || fail_errno(failure, "set the time of", name);
        }
        close(file);
        put = put && (rename(temporary, path) == 0 || fail_errno(failure, "write", name));
        if (!put) unlink(temporary);
    }
    free(temporary);
    free(path);
    return put;
}

static bool restore_entry(const dumprestore_driver_archive_entry_info_t *info, void *with, failure_t *failure) {
    restore_t *restore = with;
    dumprestore_driver_archive_own_entry_reader_t entry;
    driver_string_t name_text = info->entry.name;
    if (!dumprestore_driver_archive_method_reader_open(restore->source, &name_text, &entry, failure)) return false;
    char *name = text_of(info->entry.name);
    bool restored;
    if (is_generated(&info->entry)) {
        restored = compare_generated(restore, entry, failure);
    } else {
        restored = put_note(restore, info, name, entry, failure);
        if (restored) restore->written++;
    }
    free(name);
    dumprestore_driver_archive_entry_reader_drop_own(entry);
    dumprestore_driver_control_progress(++restore->seen, &restore->total, DUMPRESTORE_DRIVER_CONTROL_UNIT_ENTRIES);
    return restored;
}

bool restore_notes(const config_t *config, const list_t *doomed, dumprestore_driver_archive_borrow_reader_t source, uint64_t *written,
                   failure_t *failure) {
    for (size_t at = 0; at < doomed->count; at++) {
        if (!directory_delete(config->directory, doomed->notes[at].name, failure)) return false;
    }
    dumprestore_driver_archive_totals_t totals;
    dumprestore_driver_archive_method_reader_totals(source, &totals);
    restore_t restore = {.config = config, .source = source, .total = totals.entries};
    bool restored = each_entry(source, restore_entry, &restore, failure);
    *written = restore.written;
    return restored;
}
