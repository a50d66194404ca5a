/* Stores that stay in their place, and a checksum by vector instructions. */

#include <stddef.h>
#include <stdint.h>

/* A commit is the last store, whatever order the compiler would prefer. */
#ifdef _MSC_VER
#define store_byte(at, byte) (*(volatile uint8_t *)(at) = (byte))
#define store_word(at, word) (*(volatile uint64_t *)(at) = (word))
#else
#define store_byte(at, byte) __atomic_store_n((uint8_t *)(at), (byte), __ATOMIC_RELEASE)
#define store_word(at, word) __atomic_store_n((uint64_t *)(at), (word), __ATOMIC_RELEASE)
#endif

/* Adler-32, RFC 1950: `a` sums the bytes, `b` the sums. Pieces are short enough for 32 bits. */
enum { ADLER_BASE = 65521, ADLER_PIECE = 5536 };

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
enum { ADLER_ROW = 16 };

static inline uint32_t sum_of_lanes(__m128i lanes) {
    lanes = _mm_add_epi32(lanes, _mm_shuffle_epi32(lanes, 0x4e));
    lanes = _mm_add_epi32(lanes, _mm_shuffle_epi32(lanes, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(lanes);
}

/* 16 bytes at a time: their sum, and their sum weighted by how many sums each is part of. AVX2
 * would do 32, but some of its multiplications slow down everything else on the core. */
static inline const uint8_t *adler32_rows(const uint8_t *p, uint8_t *to, size_t rows, uint32_t *a,
                                          uint32_t *b) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i first = _mm_setr_epi16(16, 15, 14, 13, 12, 11, 10, 9);
    const __m128i last = _mm_setr_epi16(8, 7, 6, 5, 4, 3, 2, 1);
    __m128i sums = zero, before = zero, weighted = zero;
    for (size_t row = 0; row < rows; row++, p += ADLER_ROW) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)p);
        if (to)
            _mm_storeu_si128((__m128i *)(to + row * ADLER_ROW), bytes);
        before = _mm_add_epi32(before, sums);
        sums = _mm_add_epi32(sums, _mm_sad_epu8(bytes, zero));
        weighted = _mm_add_epi32(weighted, _mm_madd_epi16(_mm_unpacklo_epi8(bytes, zero), first));
        weighted = _mm_add_epi32(weighted, _mm_madd_epi16(_mm_unpackhi_epi8(bytes, zero), last));
    }
    *b += ADLER_ROW * ((uint32_t)rows * *a + sum_of_lanes(before)) + sum_of_lanes(weighted);
    *a += sum_of_lanes(sums);
    return p;
}
#else
enum { ADLER_ROW = ADLER_PIECE + 1 };

static inline const uint8_t *adler32_rows(const uint8_t *p, uint8_t *to, size_t rows, uint32_t *a,
                                          uint32_t *b) {
    return p;
}
#endif

/* The checksum goes on from `before`; where `to` is given, the bytes are copied there meanwhile. */
static uint32_t adler32(uint32_t before, const uint8_t *p, uint8_t *to, size_t size) {
    uint32_t a = before & 0xffff, b = before >> 16;
    while (size) {
        size_t piece = size < ADLER_PIECE ? size : ADLER_PIECE, rows = piece / ADLER_ROW;
        size -= piece;
        p = adler32_rows(p, to, rows, &a, &b);
        if (to)
            to += rows * ADLER_ROW;
        for (piece %= ADLER_ROW; piece; piece--) {
            if (to)
                *to++ = *p;
            a += *p++;
            b += a;
        }
        a %= ADLER_BASE;
        b %= ADLER_BASE;
    }
    return b << 16 | a;
}
