// What the moments leave to each other, and how they are carried out.
#ifndef NOTES_MOMENTS_H
#define NOTES_MOMENTS_H

#include "config.h"
#include "directory.h"
#include "failure.h"

#define FORMAT "notes/1"
// The entry that `generate` makes, and the attribute by which a restore knows it again.
#define GENERATED "generated.txt"
#define GENERATED_KEY "generated"

// The instance stays as it is between the moments of a run: what `before-dump` and `before-restore` found lies here.
typedef struct {
    list_t notes;
    list_t doomed;
    bool ready;
} memory_t;

// Writes the notes that are listed, and what is to be generated.
bool dump_notes(const config_t *config, const list_t *notes, dumprestore_driver_archive_borrow_writer_t into, failure_t *failure);

// Checks a restore; says in `doomed` what is deleted before it.
bool restore_check(const config_t *config, exports_dumprestore_driver_moments_extra_t extra,
                   dumprestore_driver_archive_borrow_reader_t source, list_t *doomed, failure_t *failure);

// Restores all entries. Counts the notes that were written.
bool restore_notes(const config_t *config, const list_t *doomed, dumprestore_driver_archive_borrow_reader_t source, uint64_t *written,
                   failure_t *failure);

// Bytes that repeat every 64: `size` bytes as they stand from a multiple of 64 on, and 64 more, so that any offset can be compared.
uint8_t *generated_pattern(size_t size);

#endif
