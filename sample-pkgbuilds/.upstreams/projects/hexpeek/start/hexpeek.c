#include <stdio.h>

enum { SHOWN = 16 };

static int peek(const char *name)
{
	unsigned char bytes[SHOWN];
	FILE *in = fopen(name, "rb");
	if (in == NULL) {
		perror(name);
		return 1;
	}
	size_t length = fread(bytes, 1, sizeof bytes, in);
	fclose(in);
	for (size_t i = 0; i < length; i++)
		printf("%02x ", bytes[i]);
	printf("%s\n", name);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;
	for (int i = 1; i < argc; i++)
		failed |= peek(argv[i]);
	return failed;
}
