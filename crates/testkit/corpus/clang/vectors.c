/* Products of matrices and a sum of primes, in loops that the compiler makes vectors of. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SIZE 40

static float a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];
static uint8_t sieve[20000];

int main(void) {
  uint8_t input[SIZE * SIZE] = {0};
  size_t length = fread(input, 1, sizeof input, stdin);
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) {
      a[i][j] = (float)input[i * SIZE + j] / 3.0f;
      b[j][i] = (float)(input[i * SIZE + j] - 100) * 0.1f;
    }
  for (int i = 0; i < SIZE; i++)
    for (int k = 0; k < SIZE; k++)
      for (int j = 0; j < SIZE; j++)
        c[i][j] += a[i][k] * b[k][j];
  for (int i = 0; i < SIZE; i += 7)
    printf("%.9g %.9g %a\n", c[i][0], c[i][i], c[SIZE - 1][i]);
  memset(sieve, 1, sizeof sieve);
  uint64_t sum = 0;
  for (size_t i = 2; i < sizeof sieve; i++)
    if (sieve[i]) {
      sum += i;
      for (size_t j = i * i; j < sizeof sieve; j += i)
        sieve[j] = 0;
    }
  uint32_t check = 0;
  for (size_t i = 0; i < length; i++)
    check = check * 31 + input[i];
  double mean = 0;
  for (size_t i = 0; i < sizeof input; i++)
    mean += input[i];
  printf("%llu %08x %.17g\n", (unsigned long long)sum, check, mean / (double)length);
  return 0;
}
