// ring++: a ring buffer of fixed capacity; when it is full, the oldest element makes room.
#ifndef RING_HPP
#define RING_HPP

#include <array>
#include <cstddef>
#include <stdexcept>
#include <utility>

template <typename T, std::size_t Capacity>
class ring {
	static_assert(Capacity > 0, "a ring holds at least one element");

public:
	// True when the oldest element was dropped.
	bool push(T value)
	{
		elements_[(first_ + size_) % Capacity] = std::move(value);
		if (size_ < Capacity) {
			++size_;
			return false;
		}
		first_ = (first_ + 1) % Capacity;
		return true;
	}

	// The oldest element; std::out_of_range when there is none.
	T pop()
	{
		if (size_ == 0)
			throw std::out_of_range("ring: empty");
		T value = std::move(elements_[first_]);
		first_ = (first_ + 1) % Capacity;
		--size_;
		return value;
	}

	const T &operator[](std::size_t age) const { return elements_[(first_ + age) % Capacity]; }
	std::size_t size() const noexcept { return size_; }
	static constexpr std::size_t capacity() noexcept { return Capacity; }

private:
	std::array<T, Capacity> elements_{};
	std::size_t first_ = 0;
	std::size_t size_ = 0;
};

#endif
