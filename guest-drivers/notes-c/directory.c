// A directory of notes: what is in it, and how a note is put into it.

#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

void list_add(list_t *list, const char *name, size_t length, uint64_t size, struct timespec modified) {
    if (list->count == list->room) {
        list->room = list->room == 0 ? 64 : 2 * list->room;
        list->notes = realloc(list->notes, list->room * sizeof *list->notes);
    }
    list->notes[list->count++] = (note_t){.name = strndup(name, length), .size = size, .modified = modified};
}

static int by_name(const void *one, const void *other) {
    return strcmp(((const note_t *)one)->name, ((const note_t *)other)->name);
}

void list_sort(list_t *list) {
    if (list->count > 0) qsort(list->notes, list->count, sizeof *list->notes, by_name);
}

bool list_has(const list_t *list, const char *name) {
    note_t key = {.name = (char *)name};
    return list->count > 0 && bsearch(&key, list->notes, list->count, sizeof key, by_name) != NULL;
}

void list_free(list_t *list) {
    for (size_t at = 0; at < list->count; at++) free(list->notes[at].name);
    free(list->notes);
    *list = (list_t){0};
}

char *directory_path(const char *directory, const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", directory, name) < 0) abort();
    return path;
}

// Whether `.dr-host-`, 16 hexadecimal digits, `.tmp`: the names of what is not whole yet.
static bool is_temporary(const char *leaf) {
    return strlen(leaf) == 29 && strncmp(leaf, ".dr-host-", 9) == 0 && strspn(leaf + 9, "0123456789abcdef") == 16 &&
           strcmp(leaf + 25, ".tmp") == 0;
}

char *directory_temporary(const char *path) {
    uint64_t number;
    char *temporary;
    const char *slash = strrchr(path, '/');
    if (getentropy(&number, sizeof number) != 0 ||
        asprintf(&temporary, "%.*s/.dr-host-%016llx.tmp", (int)(slash - path), path, (unsigned long long)number) < 0) {
        abort();
    }
    return temporary;
}

// Whether a text is UTF-8 as RFC 3629 has it. A name that is not cannot be passed on as a string.
static bool is_utf8(const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
        unsigned first = *at;
        int more = first < 0x80 ? 0 : first >= 0xC2 && first < 0xE0 ? 1 : first >= 0xE0 && first < 0xF0 ? 2 : first >= 0xF0 && first < 0xF5 ? 3 : -1;
        if (more < 0) return false;
        for (int number = 0; number < more; number++) {
            unsigned next = *++at;
            unsigned least = number > 0 ? 0x80 : first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
            unsigned most = number > 0 ? 0xBF : first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
            if (next < least || next > most) return false;
        }
    }
    return true;
}

static bool list_below(const char *directory, const char *above, list_t *notes, list_t *leftovers, failure_t *failure);

static bool list_item(const char *directory, const char *name, const char *leaf, list_t *notes, list_t *leftovers, failure_t *failure) {
    char *path = directory_path(directory, name);
    struct stat status;
    bool listed = true;
    if (lstat(path, &status) != 0) {
        // Gone between the listing of its directory and now: it never was in the inventory.
        if (errno != ENOENT) listed = fail_errno(failure, "look at", name);
    } else if (S_ISDIR(status.st_mode)) {
        char *below = directory_path(name, "");
        listed = list_below(directory, below, notes, leftovers, failure);
        free(below);
    } else if (S_ISREG(status.st_mode) && is_temporary(leaf)) {
        if (leftovers != NULL) list_add(leftovers, name, strlen(name), 0, status.st_mtim);
    } else if (S_ISREG(status.st_mode)) {
        if (strchr(name, '\\') != NULL || !is_utf8(name)) {
            fail(failure, KIND(UNSUPPORTED), "a file has a name that an archive's entry cannot have: with a backslash, or not UTF-8");
            with_hint(failure, "rename it");
            listed = with_context(failure, "name", is_utf8(name) ? name : "(not UTF-8)");
        } else {
            list_add(notes, name, strlen(name), (uint64_t)status.st_size, status.st_mtim);
        }
    }
    free(path);
    return listed;
}

// `above` is empty, or ends with a slash.
static bool list_below(const char *directory, const char *above, list_t *notes, list_t *leftovers, failure_t *failure) {
    if (dumprestore_driver_control_cancelled()) return fail(failure, KIND(CANCELLED), "cancelled");
    char *path = directory_path(directory, above);
    DIR *opened = opendir(path);
    bool listed = opened != NULL || fail_errno(failure, "read the directory", path);
    while (listed) {
        errno = 0;
        struct dirent *item = readdir(opened);
        if (item == NULL) {
            if (errno != 0) listed = fail_errno(failure, "read the directory", path);
            break;
        }
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0) continue;
        char *name;
        if (asprintf(&name, "%s%s", above, item->d_name) < 0) abort();
        listed = list_item(directory, name, item->d_name, notes, leftovers, failure);
        free(name);
    }
    if (opened != NULL) closedir(opened);
    free(path);
    return listed;
}

bool directory_list(const char *directory, list_t *notes, list_t *leftovers, failure_t *failure) {
    bool listed = list_below(directory, "", notes, leftovers, failure);
    list_sort(notes);
    return listed;
}

bool directory_make_above(const char *path, failure_t *failure) {
    char *above = strdup(path);
    bool made = true;
    for (char *slash = strchr(above + 1, '/'); made && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        struct stat status;
        // The directory that was granted, and what is above it, can be looked at and not be made.
        if (stat(above, &status) != 0 && mkdir(above, 0777) != 0 && errno != EEXIST) {
            made = fail_errno(failure, "make the directory", above);
        }
        *slash = '/';
    }
    free(above);
    return made;
}

bool directory_delete(const char *directory, const char *name, failure_t *failure) {
    char *path = directory_path(directory, name);
    size_t root = strlen(directory);
    bool deleted = unlink(path) == 0 || errno == ENOENT || fail_errno(failure, "delete", name);
    char *slash = deleted ? strrchr(path + root + 1, '/') : NULL;
    while (slash != NULL) {
        *slash = '\0';
        if (rmdir(path) != 0) break;
        slash = strrchr(path + root + 1, '/');
    }
    free(path);
    return deleted;
}
