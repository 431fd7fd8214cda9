#include "ring.hpp"

#include <cstdlib>

static void expect(bool condition)
{
	if (!condition)
		std::abort();
}

int main()
{
	ring<int, 3> r;
	expect(!r.push(1) && !r.push(2) && !r.push(3) && r.push(4));
	expect(r.size() == 3 && r[0] == 2 && r[2] == 4);
	expect(r.pop() == 2 && r.pop() == 3 && r.pop() == 4);
	try {
		r.pop();
	} catch (const std::out_of_range &) {
		return 0;
	}
	return 1;
}
