/* tally: the most frequent lines of the input, each with its count. */
#include <tally.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int count_lines(tally *t, FILE *in)
{
	char *line = NULL;
	size_t space = 0;
	ssize_t length;
	int status = 0;
	while ((length = getline(&line, &space, in)) >= 0) {
		if (length > 0 && line[length - 1] == '\n')
			length--;
		if (tally_add(t, line, (size_t)length) == 0) {
			status = -1;
			break;
		}
	}
	free(line);
	return ferror(in) ? -1 : status;
}

static int count_file(tally *t, const char *name)
{
	if (strcmp(name, "-") == 0)
		return count_lines(t, stdin);
	FILE *in = fopen(name, "r");
	if (in == NULL)
		return -1;
	int status = count_lines(t, in);
	fclose(in);
	return status;
}

int main(int argc, char **argv)
{
	size_t limit = 0;
	int option;
	while ((option = getopt(argc, argv, "n:V")) != -1) {
		switch (option) {
		case 'n':
			limit = strtoul(optarg, NULL, 10);
			break;
		case 'V':
			puts("tally " VERSION);
			return 0;
		default:
			fputs("usage: tally [-n COUNT] [-V] [FILE]...\n", stderr);
			return 2;
		}
	}

	tally *t = tally_new();
	if (t == NULL) {
		perror("tally");
		return 1;
	}
	static char *standard_input[] = { "-", NULL };
	for (char **name = optind < argc ? argv + optind : standard_input; *name != NULL; name++) {
		if (count_file(t, *name) != 0) {
			fprintf(stderr, "tally: %s: %s\n", *name, strerror(errno));
			tally_free(t);
			return 1;
		}
	}

	size_t size = tally_size(t);
	tally_entry *entries = tally_sorted(t);
	for (size_t i = 0; entries != NULL && i < size && (limit == 0 || i < limit); i++)
		printf("%zu\t%s\n", entries[i].count, entries[i].text);
	free(entries);
	tally_free(t);
	return fflush(stdout) == 0 ? 0 : 1;
}
