/* Searches in texts of one byte a character, by vector instructions where the machine has them. */
#include <stddef.h>
#include <stdint.h>
/* Whether a character may be part of a run: a letter, a digit, `_`, `.` or `-`, all ASCII. */
#define in_run(c) is_in(0x03ff600000000000, 0x07fffffe87fffffe, c)
/* Whether it is a mark, one of `:=-_([`. */
#define is_mark(c) is_in(0x2400210000000000, 0x0000000088000000, c)
static inline int is_in(uint64_t low, uint64_t high, uint32_t c) {
    return c < 128 && (c < 64 ? low : high) >> (c & 63) & 1;
}
#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#define has_vectors() __builtin_cpu_supports("avx2")
#define BY_VECTORS __attribute__((target("avx2"))) static

/* Which of 32 characters are marks: `marks` has the one that ends with these four bits; `-` comes besides. */
BY_VECTORS inline uint32_t marks_at(const uint8_t *at) {
    const __m128i marks = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, '(', -1, ':', '[', -1, '=', -1, '_');
    const __m256i by_end = _mm256_broadcastsi128_si256(marks), here = _mm256_loadu_si256((const __m256i *)at);
    const __m256i others = _mm256_cmpeq_epi8(here, _mm256_shuffle_epi8(by_end, here));
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(others, _mm256_cmpeq_epi8(here, _mm256_set1_epi8('-'))));
}
/* The first mark from `at` on, in a text of at least 32 characters, or -1. */
BY_VECTORS ptrdiff_t find_mark(const uint8_t *text, ptrdiff_t at, ptrdiff_t end) {
    for (; at + 64 <= end; at += 64)
        if (marks_at(text + at) | marks_at(text + at + 32))
            break;
    for (; at < end; at += 32) {
        const ptrdiff_t from = at <= end - 32 ? at : end - 32;
        const uint32_t places = marks_at(text + from) >> (at - from);
        if (places)
            return at + __builtin_ctz(places);
    }
    return -1;
}
/* Which of 8 groups of 4 characters have no separator: none below `-`, as spaces are, none beyond ASCII. */
BY_VECTORS inline uint32_t unbroken(const uint8_t *at) {
    const __m256i here = _mm256_loadu_si256((const __m256i *)at);
    const __m256i separators = _mm256_cmpgt_epi8(_mm256_set1_epi8('-'), here);
    return (uint32_t)_mm256_movemask_ps((__m256)_mm256_cmpeq_epi32(separators, _mm256_setzero_si256()));
}
/* A place from `start` on before which no run of 20 begins, four such groups in a row, nor goes on. */
BY_VECTORS ptrdiff_t skip_words(const uint8_t *text, ptrdiff_t start, ptrdiff_t end) {
    ptrdiff_t at = start;
    uint32_t groups = 0, in_row = 0;
    for (; !in_row && at + 64 <= end; at += 64) {
        groups = groups >> 16 | unbroken(text + at) << 4 | unbroken(text + at + 32) << 12;
        in_row = groups & groups >> 1 & groups >> 2 & groups >> 3;
    }
    if (in_row)
        at += 4 * (__builtin_ctz(in_row) - 4) - 64;
    while (at > start && in_run(text[at - 1]))
        at--;
    return at;
}
#else
#define has_vectors() 0
#define find_mark(text, at, end) (-1)
#define skip_words(text, start, end) (start)
#endif
