// A directory of notes: what is in it, and how a note is put into it.
#ifndef NOTES_DIRECTORY_H
#define NOTES_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "failure.h"

typedef struct {
    // Its path below the directory, with `/` between segments.
    char *name;
    uint64_t size;
    struct timespec modified;
} note_t;

typedef struct {
    note_t *notes;
    size_t count;
    size_t room;
} list_t;

void list_add(list_t *list, const char *name, size_t length, uint64_t size, struct timespec modified);
void list_sort(list_t *list);
// Whether a sorted list has this name.
bool list_has(const list_t *list, const char *name);
void list_free(list_t *list);

// Lists the regular files below `directory` in the order of their names; those that an interrupted restore left behind go to
// `leftovers`, if it is not NULL. One that an entry cannot be named after is an error.
bool directory_list(const char *directory, list_t *notes, list_t *leftovers, failure_t *failure);

// The path of a note, in memory of its own.
char *directory_path(const char *directory, const char *name);

// Makes the directories above a path.
bool directory_make_above(const char *path, failure_t *failure);

// The path under which a note is written before it is whole, in memory of its own.
char *directory_temporary(const char *path);

// Deletes a file, and the directories above it that hold nothing any more, up to `directory`.
bool directory_delete(const char *directory, const char *name, failure_t *failure);

#endif
