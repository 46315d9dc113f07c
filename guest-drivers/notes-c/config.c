// Reads the configuration's JSON (RFC 8259), as far as the schema lets anything in: an object of strings and integers.

#include "config.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *at;
    const char *end;
} reader_t;

static void skip_space(reader_t *reader) {
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) != NULL) reader->at++;
}

static bool take(reader_t *reader, char expected) {
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != expected) return false;
    reader->at++;
    return true;
}

static bool read_hex4(reader_t *reader, uint32_t *unit) {
    if (reader->end - reader->at < 4) return false;
    char digits[5] = {0};
    memcpy(digits, reader->at, 4);
    char *stopped;
    *unit = (uint32_t)strtoul(digits, &stopped, 16);
    reader->at += 4;
    return stopped == digits + 4;
}

static char *put_utf8(char *out, uint32_t point) {
    if (point < 0x80) {
        *out++ = (char)point;
        return out;
    }
    int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    *out++ = (char)((0xF00 >> more & 0xFF) | point >> 6 * more);
    while (more-- > 0) *out++ = (char)(0x80 | (point >> 6 * more & 0x3F));
    return out;
}

static bool read_escape(reader_t *reader, char **out) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char letter = *reader->at++;
    const char *known = letter == '\0' ? NULL : strchr(letters, letter);
    if (known != NULL) {
        *(*out)++ = meanings[known - letters];
        return true;
    }
    uint32_t point, low;
    if (letter != 'u' || !read_hex4(reader, &point)) return false;
    if (point >= 0xD800 && point < 0xDC00) {
        if (reader->end - reader->at < 2 || memcmp(reader->at, "\\u", 2) != 0) return false;
        reader->at += 2;
        if (!read_hex4(reader, &low) || low < 0xDC00 || low > 0xDFFF) return false;
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    // A C string ends at a NUL: a path or word that holds one is none.
    if (point == 0) return false;
    *out = put_utf8(*out, point);
    return true;
}

// The string that comes next, in memory of its own; NULL where there is none.
static char *read_string(reader_t *reader) {
    if (!take(reader, '"')) return NULL;
    // What an escape stands for is never longer than the escape.
    char *text = malloc((size_t)(reader->end - reader->at) + 1), *out = text;
    while (reader->at < reader->end && *reader->at != '"') {
        if (*reader->at != '\\') {
            *out++ = *reader->at++;
        } else if (++reader->at == reader->end || !read_escape(reader, &out)) {
            free(text);
            return NULL;
        }
    }
    *out = '\0';
    if (take(reader, '"')) return text;
    free(text);
    return NULL;
}

static bool read_integer(reader_t *reader, uint64_t *number) {
    skip_space(reader);
    const char *first = reader->at;
    *number = 0;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        uint64_t digit = (uint64_t)(*reader->at - '0');
        if (*number > (UINT64_MAX - digit) / 10) return false;
        *number = *number * 10 + digit;
    }
    return reader->at > first;
}

static bool replace(char **place, char *text) {
    free(*place);
    *place = text;
    return text != NULL;
}

static bool read_member(reader_t *reader, config_t *config) {
    char *key = read_string(reader);
    bool read = key != NULL && take(reader, ':');
    if (read) {
        uint64_t number;
        if (strcmp(key, "directory") == 0) {
            read = replace(&config->directory, read_string(reader));
        } else if (strcmp(key, "fail") == 0) {
            read = replace(&config->fail, read_string(reader));
        } else if (strcmp(key, "fail_in") == 0) {
            read = replace(&config->fail_in, read_string(reader));
        } else if (strcmp(key, "generate") == 0) {
            read = read_integer(reader, &config->generate);
        } else if (strcmp(key, "chunk") == 0) {
            read = read_integer(reader, &number) && number >= 1 && number <= 1048576;
            config->chunk = read ? (uint32_t)number : 0;
        } else {
            read = false;
        }
    }
    free(key);
    return read;
}

bool config_read(driver_string_t text, config_t *config) {
    reader_t reader = {.at = (const char *)text.ptr, .end = (const char *)text.ptr + text.len};
    *config = (config_t){.chunk = 262144, .fail = strdup(""), .fail_in = strdup("dump")};
    bool read = take(&reader, '{');
    if (read && !take(&reader, '}')) {
        do read = read_member(&reader, config);
        while (read && take(&reader, ','));
        read = read && take(&reader, '}');
    }
    skip_space(&reader);
    if (read && reader.at == reader.end && config->directory != NULL) return true;
    config_free(config);
    return false;
}

void config_free(config_t *config) {
    free(config->directory);
    free(config->fail);
    free(config->fail_in);
    *config = (config_t){0};
}
