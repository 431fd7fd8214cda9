#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			return 1; \
		} \
	} while (0)

int main(void)
{
	tally *t = tally_new();
	EXPECT(t != NULL);
	EXPECT(tally_sorted(t) == NULL);
	char text[16];
	for (int i = 0; i < 1000; i++) /* more than once through grow() */
		EXPECT(tally_add(t, text, (size_t)snprintf(text, sizeof text, "n%d", i % 300)) > 0);
	EXPECT(tally_add(t, "n7 and more", 2) == 5);
	EXPECT(tally_size(t) == 300);
	tally_entry *entries = tally_sorted(t);
	EXPECT(entries != NULL);
	EXPECT(strcmp(entries[0].text, "n7") == 0 && entries[0].count == 5);
	EXPECT(strcmp(entries[1].text, "n0") == 0 && entries[1].count == 4);
	EXPECT(strcmp(entries[299].text, "n299") == 0 && entries[299].count == 3);
	free(entries);
	tally_free(t);
	return 0;
}
