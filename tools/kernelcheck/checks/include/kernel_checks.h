#ifndef KERNEL_CHECKS_H
#define KERNEL_CHECKS_H
#endif
