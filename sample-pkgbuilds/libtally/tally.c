#include "tally.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	char *text; /* NULL: free */
	size_t length;
	size_t count;
};

struct tally {
	struct slot *slots;
	size_t capacity; /* a power of two */
	size_t used;
};

enum { INITIAL_CAPACITY = 64 };

static uint64_t fnv1a(const char *text, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < length; i++) {
		hash ^= (unsigned char)text[i];
		hash *= 0x100000001b3u;
	}
	return hash;
}

static struct slot *find(struct slot *slots, size_t capacity, const char *text, size_t length)
{
	size_t at = fnv1a(text, length) & (capacity - 1);
	while (slots[at].text != NULL &&
	       (slots[at].length != length || memcmp(slots[at].text, text, length) != 0))
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static int grow(tally *t)
{
	size_t capacity = t->capacity * 2;
	struct slot *slots = calloc(capacity, sizeof *slots);
	if (slots == NULL)
		return -1;
	for (size_t i = 0; i < t->capacity; i++)
		if (t->slots[i].text != NULL)
			*find(slots, capacity, t->slots[i].text, t->slots[i].length) = t->slots[i];
	free(t->slots);
	t->slots = slots;
	t->capacity = capacity;
	return 0;
}

tally *tally_new(void)
{
	tally *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->capacity = INITIAL_CAPACITY;
	t->slots = calloc(t->capacity, sizeof *t->slots);
	if (t->slots == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void tally_free(tally *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->capacity; i++)
		free(t->slots[i].text);
	free(t->slots);
	free(t);
}

size_t tally_add(tally *t, const char *text, size_t length)
{
	if (t->used * 4 >= t->capacity * 3 && grow(t) != 0)
		return 0;
	struct slot *slot = find(t->slots, t->capacity, text, length);
	if (slot->text == NULL) {
		char *copy = malloc(length + 1);
		if (copy == NULL)
			return 0;
		memcpy(copy, text, length);
		copy[length] = '\0';
		slot->text = copy;
		slot->length = length;
		t->used++;
	}
	return ++slot->count;
}

size_t tally_size(const tally *t)
{
	return t->used;
}

static int most_frequent_first(const void *left, const void *right)
{
	const tally_entry *a = left, *b = right;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->text, b->text);
}

tally_entry *tally_sorted(const tally *t)
{
	if (t->used == 0)
		return NULL;
	tally_entry *entries = malloc(t->used * sizeof *entries);
	if (entries == NULL)
		return NULL;
	size_t n = 0;
	for (size_t i = 0; i < t->capacity; i++)
		if (t->slots[i].text != NULL)
			entries[n++] = (tally_entry){ t->slots[i].text, t->slots[i].count };
	qsort(entries, n, sizeof *entries, most_frequent_first);
	return entries;
}
