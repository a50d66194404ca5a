/* What `_native.pyx` cannot say: stores that stay in their place, and a checksum by vectors. */

#include <stddef.h>
#include <stdint.h>

/* What commits is stored last, wherever the compiler would rather have it. */
#ifdef _MSC_VER
#define store_byte(at, byte) (*(volatile uint8_t *)(at) = (byte))
#define store_word(at, word) (*(volatile uint64_t *)(at) = (word))
#else
#define store_byte(at, byte) __atomic_store_n((uint8_t *)(at), (byte), __ATOMIC_RELEASE)
#define store_word(at, word) __atomic_store_n((uint64_t *)(at), (word), __ATOMIC_RELEASE)
#endif

/* Adler-32, RFC 1950: `a` sums the bytes, `b` the sums. So many bytes, and both fit 32 bits. */
enum { ADLER_BASE = 65521, ADLER_PIECE = 5536 };

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

__attribute__((target("avx2"))) static inline uint32_t sum_of_lanes(__m256i lanes) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(half);
}

/* 32 bytes at a time: the sum of them, and the sum of them by how many sums each is part of. */
__attribute__((target("avx2"))) static const uint8_t *adler32_rows(
    const uint8_t *p, size_t rows, uint32_t *a, uint32_t *b) {
    const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi16(1);
    const __m256i weights = _mm256_setr_epi8(
        32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
        16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
    __m256i sums = zero, before = zero, weighted = zero;
    for (size_t row = 0; row < rows; row++, p += 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)p);
        before = _mm256_add_epi32(before, sums);
        sums = _mm256_add_epi32(sums, _mm256_sad_epu8(bytes, zero));
        weighted = _mm256_add_epi32(
            weighted, _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, weights), ones));
    }
    *b += 32 * ((uint32_t)rows * *a + sum_of_lanes(before)) + sum_of_lanes(weighted);
    *a += sum_of_lanes(sums);
    return p;
}
#define HAS_ROWS __builtin_cpu_supports("avx2")
#else
static const uint8_t *adler32_rows(const uint8_t *p, size_t rows, uint32_t *a, uint32_t *b) {
    return p;
}
#define HAS_ROWS 0
#endif

/* As `zlib.adler32`, of which it needs no library. */
static uint32_t adler32(uint32_t before, const uint8_t *p, size_t size) {
    uint32_t a = before & 0xffff, b = before >> 16;
    while (size) {
        size_t piece = size < ADLER_PIECE ? size : ADLER_PIECE;
        size -= piece;
        if (piece >= 32 && HAS_ROWS) {
            p = adler32_rows(p, piece / 32, &a, &b);
            piece %= 32;
        }
        for (; piece; piece--) {
            a += *p++;
            b += a;
        }
        a %= ADLER_BASE;
        b %= ADLER_BASE;
    }
    return b << 16 | a;
}
