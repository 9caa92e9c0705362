// The ten most frequent words of the text on stdin.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 10 };

struct word {
    char *text;
    unsigned long count;
};

// An open-addressing table; its size is a power of two and it is never more than half full.
struct table {
    struct word *slots;
    size_t size, used;
};

static void *or_die(void *memory) {
    if (!memory) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static struct word *slot(struct table *table, const char *text) {
    size_t hash = 5381;
    for (const char *c = text; *c; c++) hash = hash * 33 ^ (unsigned char)*c;
    size_t at = hash & (table->size - 1);
    while (table->slots[at].text && strcmp(table->slots[at].text, text)) {
        at = (at + 1) & (table->size - 1);
    }
    return &table->slots[at];
}

static void grow(struct table *table) {
    struct table bigger = {.size = table->size ? table->size * 2 : 1024, .used = table->used};
    bigger.slots = or_die(calloc(bigger.size, sizeof *bigger.slots));
    for (size_t i = 0; i < table->size; i++) {
        if (table->slots[i].text) *slot(&bigger, table->slots[i].text) = table->slots[i];
    }
    free(table->slots);
    *table = bigger;
}

static void count(struct table *table, const char *text) {
    if (table->used * 2 >= table->size) grow(table);
    struct word *word = slot(table, text);
    if (!word->text) {
        word->text = or_die(strdup(text));
        table->used++;
    }
    word->count++;
}

static int by_count_then_text(const void *left, const void *right) {
    const struct word *a = left, *b = right;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    if (!a->text || !b->text) return !a->text - !b->text;
    return strcmp(a->text, b->text);
}

// The lower-case letter, or 0 for a byte that is no ASCII letter.
static char letter(int byte) {
    if (byte >= 'A' && byte <= 'Z') return (char)(byte - 'A' + 'a');
    return byte >= 'a' && byte <= 'z' ? (char)byte : 0;
}

static void read_words(struct table *table) {
    size_t length = 0, room = 64;
    char *word = or_die(malloc(room));
    int byte;
    do {
        byte = getchar();
        char c = byte == EOF ? 0 : letter(byte);
        if (length + 1 == room) word = or_die(realloc(word, room *= 2));
        if (c) {
            word[length++] = c;
        } else if (length) {
            word[length] = 0;
            count(table, word);
            length = 0;
        }
    } while (byte != EOF);
    free(word);
}

int main(void) {
    struct table table = {0};
    read_words(&table);
    if (table.used) qsort(table.slots, table.size, sizeof *table.slots, by_count_then_text);
    for (size_t i = 0; i < TOP && i < table.used; i++) {
        printf("%lu %s\n", table.slots[i].count, table.slots[i].text);
    }
    return ferror(stdin) ? 1 : 0;
}
