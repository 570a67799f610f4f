/* memcpy, memmove and memcmp for the musl build. musl's copy a few bytes with
   `rep movs`, which takes longer to start than such a copy takes, and compare byte
   by byte; they ran for a third of a large file. Compiled and checked by ci/link. */

#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LOAD(at) _mm_loadu_si128((const __m128i *)(at))
#define STORE(at, value) _mm_storeu_si128((__m128i *)(at), value)

/* From here on the processor's own copy is the faster. */
#define LONG 2048

/* Two words that overlap when n is not twice their size; read before written. */
#define ENDS(type)                                                             \
    do {                                                                       \
        type first, last;                                                      \
        __builtin_memcpy(&first, s, sizeof(type));                             \
        __builtin_memcpy(&last, s + n - sizeof(type), sizeof(type));           \
        __builtin_memcpy(d, &first, sizeof(type));                             \
        __builtin_memcpy(d + n - sizeof(type), &last, sizeof(type));           \
    } while (0)

/* Four times 16 bytes, all read before the first is written. */
static inline void block(unsigned char *d, const unsigned char *s) {
    __m128i a = LOAD(s), b = LOAD(s + 16), c = LOAD(s + 32), e = LOAD(s + 48);
    STORE(d, a);
    STORE(d + 16, b);
    STORE(d + 32, c);
    STORE(d + 48, e);
}

/* 64 bytes at most, in any overlap. */
static inline void few(unsigned char *d, const unsigned char *s, size_t n) {
    if (n >= 32) {
        __m128i a = LOAD(s), b = LOAD(s + 16), c = LOAD(s + n - 32), e = LOAD(s + n - 16);
        STORE(d, a);
        STORE(d + 16, b);
        STORE(d + n - 32, c);
        STORE(d + n - 16, e);
    } else if (n >= 16) {
        ENDS(__m128i);
    } else if (n >= 8) {
        ENDS(uint64_t);
    } else if (n >= 4) {
        ENDS(uint32_t);
    } else if (n >= 2) {
        ENDS(uint16_t);
    } else if (n) {
        *d = *s;
    }
}

void *memmove(void *to, const void *from, size_t n) {
    unsigned char *d = to;
    const unsigned char *s = from;
    if (n <= 64) {
        few(d, s, n);
    } else if ((uintptr_t)d - (uintptr_t)s >= n) {
        /* Upwards: what is written was read before. The last block is read first. */
        __m128i a = LOAD(s + n - 64), b = LOAD(s + n - 48), c = LOAD(s + n - 32), e = LOAD(s + n - 16);
        unsigned char *end = d + n;
        if (n >= LONG && (uintptr_t)s - (uintptr_t)d >= n) {
            size_t count = n;
            __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(count) : : "memory");
            return to;
        }
        for (; n > 64; n -= 64, d += 64, s += 64)
            block(d, s);
        STORE(end - 64, a);
        STORE(end - 48, b);
        STORE(end - 32, c);
        STORE(end - 16, e);
    } else {
        /* Downwards, for a target that begins inside the source. */
        __m128i a = LOAD(s), b = LOAD(s + 16), c = LOAD(s + 32), e = LOAD(s + 48);
        for (; n > 64; n -= 64)
            block(d + n - 64, s + n - 64);
        STORE(d, a);
        STORE(d + 16, b);
        STORE(d + 32, c);
        STORE(d + 48, e);
    }
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) __attribute__((alias("memmove")));

/* The words at the same place of both, which differ if one of them does. */
#define WORDS(type, swap, at)                                                  \
    do {                                                                       \
        type x, y;                                                             \
        __builtin_memcpy(&x, a + (at), sizeof(type));                          \
        __builtin_memcpy(&y, b + (at), sizeof(type));                          \
        if (x != y)                                                            \
            return swap(x) < swap(y) ? -1 : 1;                                 \
    } while (0)

/* 16 bytes at `at`. */
#define LINES(at)                                                              \
    do {                                                                       \
        unsigned same = _mm_movemask_epi8(_mm_cmpeq_epi8(LOAD(a + (at)), LOAD(b + (at)))); \
        if (same != 0xffff) {                                                  \
            size_t place = (at) + __builtin_ctz(~same);                        \
            return a[place] < b[place] ? -1 : 1;                               \
        }                                                                      \
    } while (0)

int memcmp(const void *one, const void *other, size_t n) {
    const unsigned char *a = one, *b = other;
    if (n >= 16) {
        for (; n > 16; n -= 16, a += 16, b += 16)
            LINES(0);
        /* The last 16, some of them once more. */
        a -= 16 - n;
        b -= 16 - n;
        LINES(0);
    } else if (n >= 8) {
        WORDS(uint64_t, __builtin_bswap64, 0);
        WORDS(uint64_t, __builtin_bswap64, n - 8);
    } else if (n >= 4) {
        WORDS(uint32_t, __builtin_bswap32, 0);
        WORDS(uint32_t, __builtin_bswap32, n - 4);
    } else {
        for (; n; n--, a++, b++)
            if (*a != *b)
                return *a < *b ? -1 : 1;
    }
    return 0;
}

int bcmp(const void *one, const void *other, size_t n) __attribute__((alias("memcmp")));

#ifdef CHECK
static int sign(int number) { return (number > 0) - (number < 0); }

/* Every length up to a few blocks, every place of a difference, or none, and noise
   behind the end and behind the difference. */
static int compares(void) {
    for (size_t n = 0; n <= 100; n++)
        for (size_t at = 0; at <= n; at++)
            for (int way = -1; way <= 1; way += 2) {
                static unsigned char one[128], other[128];
                for (size_t i = 0; i < sizeof(one); i++) {
                    one[i] = (unsigned char)(i * 37 + n);
                    other[i] = i < at ? one[i] : (unsigned char)(i * 11 + at);
                }
                if (at < n) {
                    one[at] = way < 0 ? 0x7f : 0x80;
                    other[at] = way < 0 ? 0x80 : 0x7f;
                }
                if (sign(memcmp(one, other, n)) != (at < n ? way : 0))
                    return 0;
            }
    return 1;
}

/* Every length up to a few blocks and around LONG, every distance between the two. */
int main(void) {
    if (!compares())
        return 1;
    enum { ROOM = 3 * LONG };
    static unsigned char was[ROOM], is[ROOM];
    for (size_t n = 0; n <= LONG + 70; n += n == 300 ? LONG - 370 : 1)
        for (size_t from = 0; from <= n + 80; from += n > 300 ? 13 : 1) {
            size_t to = (n + 80) / 2;
            for (size_t i = 0; i < ROOM; i++)
                was[i] = is[i] = (unsigned char)(i * 31 + (i >> 8));
            if (memmove(is + to, is + from, n) != is + to)
                return 1;
            for (size_t i = 0; i < ROOM; i++)
                if (is[i] != (i >= to && i < to + n ? was[from + i - to] : was[i]))
                    return 1;
        }
    return 0;
}
#endif
