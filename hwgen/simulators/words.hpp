// Signals wider than 64 bits, as words of 64 bits, lowest first; unused bits of the last one are 0.

#include <cstdint>
#include <cstring>

typedef uint64_t W;

// The number of `width` bits in the low bits of x.
static inline int64_t wide_signed(W x, int width) {
    return (int64_t)(x << (64 - width)) >> (64 - width);
}

// 64 bits from a bit position that may lie outside; `fill` are the bits above.
static inline W wide_field(const W *a, int words, int64_t position, W fill) {
    if (position <= -64)
        return 0;
    if (position < 0)
        return a[0] << -position;
    const int64_t word = position >> 6;
    const int bit = position & 63;
    if (word >= words)
        return fill;
    const W above = word + 1 < words ? a[word + 1] : fill;
    return bit ? a[word] >> bit | above << (64 - bit) : a[word];
}

static inline void wide_add(W *y, const W *a, const W *b, int words, W carry) {
    for (int k = 0; k < words; ++k) {
        const unsigned __int128 sum = (unsigned __int128)a[k] + b[k] + carry;
        y[k] = (W)sum;
        carry = (W)(sum >> 64);
    }
}

static inline void wide_multiply(W *y, const W *a, const W *b, int words) {
    std::memset(y, 0, words * sizeof(W));
    for (int i = 0; i < words; ++i) {
        W carry = 0;
        for (int j = 0; i + j < words; ++j) {
            const unsigned __int128 sum = (unsigned __int128)a[i] * b[j] + y[i + j] + carry;
            y[i + j] = (W)sum;
            carry = (W)(sum >> 64);
        }
    }
}

// Sign of a - b.
static inline int wide_compare(const W *a, const W *b, int words) {
    for (int k = words - 1; k >= 0; --k)
        if (a[k] != b[k])
            return a[k] < b[k] ? -1 : 1;
    return 0;
}
