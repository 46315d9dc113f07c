// The driver's configuration: one flat JSON object, which the host has checked against the driver's schema.
#ifndef NOTES_CONFIG_H
#define NOTES_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/driver.h"

typedef struct {
    // The directory, by the path under which it is granted.
    char *directory;
    // Bytes of one more entry, made up by the driver.
    uint64_t generate;
    // How many bytes travel at once.
    uint32_t chunk;
    // The error that `fail_in` returns; an empty string for none.
    char *fail;
    // The moment that fails.
    char *fail_in;
} config_t;

// Reads the configuration. False where the text is not the object that the schema describes; what was read is freed then.
bool config_read(driver_string_t text, config_t *config);

void config_free(config_t *config);

#endif
