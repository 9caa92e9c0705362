/* A machine with a stack, whose program is standard input. It ends with the machine's way out. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEPTH 256

static int32_t stack[DEPTH];
static unsigned top;

static int32_t pop(void) { return top ? stack[--top] : 7; }
static void push(int32_t value) {
  if (top == DEPTH)
    top = 0;
  stack[top++] = value;
}

static int32_t add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static int32_t mul(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
static int32_t mix(int32_t a, int32_t b) { return (int32_t)((uint32_t)a << (b & 31)) ^ b; }
static int32_t divide(int32_t a, int32_t b) { return b ? a / b : 0; }

typedef int32_t binary(int32_t, int32_t);
static binary *const table[] = {add, mul, mix, divide};

int main(void) {
  uint8_t code[8192];
  size_t length = fread(code, 1, sizeof code, stdin);
  uint32_t steps = 0;
  for (int round = 0; round < 30; round++)
    for (size_t at = 0; at < length; at++, steps++) {
      switch (code[at] % 9) {
      case 0: push(code[at]); break;
      case 1: push((int32_t)steps); break;
      case 2: { int32_t a = pop(); push(a); push(a); break; }
      case 3: { int32_t a = pop(), b = pop(); push(a); push(b); break; }
      case 4: push(table[code[at] >> 6](pop(), pop() | 1)); break;
      case 5: at += (size_t)(pop() & 3); break;
      case 6: push(__builtin_popcount((unsigned)pop()) + __builtin_clz((unsigned)pop() | 1)); break;
      case 7: push((int32_t)((int64_t)pop() * pop() >> 16)); break;
      case 8: if (pop() & 1) at++; break;
      }
    }
  printf("%u steps, %d on top of %u\n", steps, pop(), top);
  fflush(stdout);
  if (code[0] == 'T')
    abort();
  /* A function of another type: the engine stops the call. */
  ((double (*)(double))(void *)table[length & 3])(1.0);
  return 0;
}
