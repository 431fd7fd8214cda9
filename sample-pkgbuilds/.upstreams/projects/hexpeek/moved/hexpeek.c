#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SHOWN_AT_MOST = 256 };

static int peek(const char *name, size_t shown)
{
	unsigned char bytes[SHOWN_AT_MOST];
	FILE *in = fopen(name, "rb");
	if (in == NULL) {
		perror(name);
		return 1;
	}
	size_t length = fread(bytes, 1, shown, in);
	fclose(in);
	for (size_t i = 0; i < length; i++)
		printf("%02x ", bytes[i]);
	printf("%s\n", name);
	return 0;
}

int main(int argc, char **argv)
{
	size_t shown = 16;
	int option, failed = 0;
	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n') {
			fputs("usage: hexpeek [-n BYTES] FILE...\n", stderr);
			return 2;
		}
		shown = strtoul(optarg, NULL, 10);
	}
	if (shown > SHOWN_AT_MOST)
		shown = SHOWN_AT_MOST;
	for (int i = optind; i < argc; i++)
		failed |= peek(argv[i], shown);
	return failed;
}
