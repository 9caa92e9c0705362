/* Sorts the numbers and the lines of standard input, and prints floats in every form. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *read_all(size_t *length) {
  size_t room = 64;
  char *text = malloc(room);
  *length = 0;
  for (size_t got; text && (got = fread(text + *length, 1, room - *length - 1, stdin)) > 0;) {
    *length += got;
    if (*length + 1 == room)
      text = realloc(text, room *= 2);
  }
  if (!text)
    abort();
  text[*length] = 0;
  return text;
}

int main(void) {
  size_t length, lines = 0, numbers = 0;
  char *text = read_all(&length);
  char **line = malloc((length + 1) * sizeof *line);
  double *number = malloc((length + 1) * sizeof *number);
  if (!line || !number)
    abort();
  for (char *at = text; at < text + length;) {
    char *end;
    double value = strtod(at, &end);
    if (end != at)
      number[numbers++] = value;
    at = end != at ? end : at + 1;
  }
  for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"))
    line[lines++] = at;
  qsort(number, numbers, sizeof *number, by_value);
  qsort(line, lines, sizeof *line, by_text);
  for (size_t i = 0; i < numbers && i < 40; i++)
    printf("%zu %.17g %e %10.3f %a %g\n", i, number[i], number[i], fmod(number[i], 1000),
           number[i], sqrt(number[i]));
  for (size_t i = 0; i < lines && i < 10; i++)
    printf("%-20.20s|%5zu|%s\n", line[i], strlen(line[i]), strstr(line[i], "the") ? "yes" : "no");
  printf("%g %g %g %g\n", exp(1), pow(2, 0.5), sin(1e6), log(length + 1.0));
  return numbers > 100 ? 3 : 0;
}
