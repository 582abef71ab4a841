/* Holds the namespaces of a pod: sleeps until it is told to end. */
#include <signal.h>
#include <unistd.h>

static void end(int signal_number) {
    (void)signal_number;
    _exit(0);
}

int main(void) {
    signal(SIGTERM, end);
    signal(SIGINT, end);
    /* As process 1 it is the parent of orphans; ignored children leave no corpses. */
    signal(SIGCHLD, SIG_IGN);
    for (;;)
        pause();
}
