/* memcpy and memmove for the musl build. musl's copy a few bytes with `rep movs`,
   which takes longer to start than such a copy takes; they ran for a third of a
   large file. Compiled and checked by ci/link. */

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

#ifdef CHECK
/* Every length up to a few blocks and around LONG, every distance between the two. */
int main(void) {
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
