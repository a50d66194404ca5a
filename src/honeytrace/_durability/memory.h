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
#define adler32_rows(p, to, rows, a, b) (p)
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

/* Another program may truncate the file, or its disk may fail: a store into a page that has no block
 * any more raises SIGBUS. The handler puts anonymous memory in place of the map, so that the program
 * goes on; the journal finds out by `is_lost`. Any other SIGBUS goes to the handler before this one. */
enum { GUARDS = 64 };
#ifdef _WIN32
#define guard(base, size) (-1)
#define unguard(index) ((void)(index))
#define was_hit(index) (0)
#else
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

static struct {
    uint8_t *volatile base;
    size_t size;
    volatile int hit;
} guards[GUARDS];
static struct sigaction earlier;

static void on_bus_error(int number, siginfo_t *info, void *context) {
    const int error = errno, sent = info->si_code <= 0; /* by another process, not by a store */
    for (int i = 0; i < GUARDS && !sent; i++) {
        uint8_t *base = guards[i].base;
        if (base && (uintptr_t)info->si_addr - (uintptr_t)base < guards[i].size) {
            guards[i].hit = mmap(base, guards[i].size, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
            errno = error;
            if (guards[i].hit)
                return;
        }
    }
    if (earlier.sa_flags & SA_SIGINFO) {
        earlier.sa_sigaction(number, info, context);
    } else if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
        earlier.sa_handler(number);
    } else if (!sent || earlier.sa_handler == SIG_DFL) {
        sigaction(number, &earlier, NULL); /* a store is repeated when this returns */
        if (sent)
            raise(number);
    }
}

/* Return the number of the guard over a map, or -1 without a free one. */
static int guard(uint8_t *base, size_t size) {
    static int installed;
    struct sigaction ours = {.sa_sigaction = on_bus_error};
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    if (!installed)
        installed = sigaction(SIGBUS, &ours, &earlier) == 0;
    for (int i = 0; i < GUARDS; i++) {
        if (!guards[i].base) {
            guards[i].size = size, guards[i].hit = 0;
            guards[i].base = base;
            return i;
        }
    }
    return -1;
}

static void unguard(int index) {
    if (index >= 0)
        guards[index].base = NULL;
}

static int was_hit(int index) { return index >= 0 && guards[index].hit; }
#endif
