// Says what is in the text on stdin: one line of JSON on stdout.

#include <ctype.h>
#include <stdio.h>

int main(void) {
    unsigned long lines = 0, words = 0;
    int byte, last = '\n', in_word = 0;
    while ((byte = getchar()) != EOF) {
        lines += byte == '\n';
        words += !isspace(byte) && !in_word;
        in_word = !isspace(byte);
        last = byte;
    }
    if (ferror(stdin) || words == 0) {
        fputs("there is no word in it\n", stderr);
        return 1;
    }
    printf("{\"lines\":%lu,\"words\":%lu}\n", lines + (last != '\n'), words);
    return 0;
}
