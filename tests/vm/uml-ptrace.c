// SPDX-License-Identifier: MIT
/*
 * An LD_PRELOAD wrapper of ptrace() that lets user-mode Linux 6.1 run on
 * processors with AMX.
 *
 * linux.uml hands the kernel a fixed buffer of 2696 bytes as a process's XSAVE
 * area (NT_X86_XSTATE).  Where the machine's area is larger (AMX makes it
 * 11008 bytes) the kernel refuses it and linux.uml panics: "ptrace set fp regs
 * failed, errno = 14".  So complete what it passes to the machine's own size.
 * Where the sizes agree this changes nothing.
 */
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define XFEATURES_AT 512     // where the XSAVE header keeps the set of features
#define XFEATURES_KEPT 0x2ff // all that fits in uml's buffer; AMX is not in it

static long set_xstate(long pid, const struct iovec *uml)
{
	static _Thread_local _Alignas(64) unsigned char area[65536];
	struct iovec whole = {area, sizeof area};
	unsigned long long features;

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0)
		return -1;
	if (whole.iov_len <= uml->iov_len)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, uml);

	memcpy(area, uml->iov_base, uml->iov_len);
	memset(area + uml->iov_len, 0, whole.iov_len - uml->iov_len);
	memcpy(&features, area + XFEATURES_AT, sizeof features);
	features &= XFEATURES_KEPT;
	memcpy(area + XFEATURES_AT, &features, sizeof features);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;
	va_start(args, request);
	long pid = va_arg(args, int);
	void *addr = va_arg(args, void *);
	void *data = va_arg(args, void *);
	va_end(args);

	if (request == PTRACE_SETREGSET && (long)addr == NT_X86_XSTATE)
		return set_xstate(pid, data);

	// The PEEK requests of the bare system call answer through a pointer.
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		long word = -1;
		long failed = syscall(SYS_ptrace, request, pid, addr, &word);
		return failed ? failed : word;
	}
	return syscall(SYS_ptrace, request, pid, addr, data);
}
