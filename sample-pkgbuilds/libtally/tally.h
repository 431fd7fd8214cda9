/* libtally: how often did I see each string? */
#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tally tally;

typedef struct {
	const char *text; /* owned by the tally, valid until tally_free() */
	size_t count;
} tally_entry;

/* NULL when memory is short. */
tally *tally_new(void);
void tally_free(tally *t);

/* Counts one more of the first `length` bytes of `text`; the new count, 0 when memory is short. */
size_t tally_add(tally *t, const char *text, size_t length);

/* How many different strings were added. */
size_t tally_size(const tally *t);

/* All entries, the most frequent first, equal counts in byte order; to be freed by the caller.
 * NULL when the tally is empty or memory is short. */
tally_entry *tally_sorted(const tally *t);

#ifdef __cplusplus
}
#endif

#endif
