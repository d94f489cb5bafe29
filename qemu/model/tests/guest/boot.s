# A guest of 64 KiB that is its own firmware. It brings every vCPU into long
# mode on an identity map and lets each interpret its own script: operations of
# 32 bytes (number and three operands), at guest_start + 0x8000 + vcpu * 0x1000.
# Loaded below 4 GiB and, as firmware is, once more below 1 MiB.
.section .rodata.guest, "a"
.balign 16
.globl guest_start
.globl guest_end
guest_start:
.set ROM, 0xFFFF0000

# Also where a start-up message sends the other vCPUs (vector F0).
.code16
enter16:
    cli
    .byte 0x2E, 0x66, 0x0F, 0x01, 0x16          # lgdt cs:[table16], 32 bits
    .word table_register - guest_start
    mov eax, cr0
    or al, 1
    mov cr0, eax
    .byte 0x66, 0xEA                            # jmp far 8:enter32
    .long ROM + enter32 - guest_start
    .word 8

.code32
enter32:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, 1
    cpuid
    shr ebx, 24
    mov ebp, ebx                                # this vCPU's number
    test ebp, ebp
    jnz paged
    mov edi, 0x1000                             # page tables: four pages of 1 GiB
    xor eax, eax
    mov ecx, 0x2000 / 4
    rep stosd
    mov dword ptr [0x1000], 0x2003
    mov dword ptr [0x2000], 0x00000083
    mov dword ptr [0x2008], 0x40000083
    mov dword ptr [0x2010], 0x80000083
    mov dword ptr [0x2018], 0xC0000083
paged:
    mov eax, cr4
    or eax, 0x20                                # PAE
    mov cr4, eax
    mov eax, 0x1000
    mov cr3, eax
    mov ecx, 0xC0000080
    rdmsr
    or eax, 0x100                               # LME
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    .byte 0xEA                                  # jmp far 24:enter64
    .long ROM + enter64 - guest_start
    .word 24

.code64
enter64:
    mov ebp, ebp
    mov rax, rbp
    inc rax
    shl rax, 12
    lea rsp, [rax + 0x10000]                    # a page of stack each
    mov r10d, 0xFEE00000
    mov dword ptr [r10 + 0xF0], 0x1FF           # local APIC on
    test ebp, ebp
    jnz tables_done
    # Interrupts 40h (counts at 0x7000) and 41h (counts at 0x7008), the rest at 0x7010.
    mov edi, 0x5000
    xor ecx, ecx
fill:
    lea rax, [rip + interrupt_other]
    lea rdx, [rip + interrupt_timer]
    cmp ecx, 0x40
    cmove eax, edx
    lea rdx, [rip + interrupt_counter]
    cmp ecx, 0x41
    cmove eax, edx
    mov word ptr [rdi], ax
    mov word ptr [rdi + 2], 24
    mov word ptr [rdi + 4], 0x8E00
    shr eax, 16
    mov word ptr [rdi + 6], ax
    mov dword ptr [rdi + 8], 0
    mov dword ptr [rdi + 12], 0
    add edi, 16
    inc ecx
    cmp ecx, 256
    jne fill
tables_done:
    lidt [rip + interrupt_register]
    mov eax, ebp
    shl eax, 12
    lea r15, [rip + guest_start]
    lea r15, [r15 + rax + 0x8000]               # the script

next:
    mov rax, [r15]
    mov rbx, [r15 + 8]
    mov rsi, [r15 + 16]
    mov rdi, [r15 + 24]
    add r15, 32
    lea rdx, [rip + operations]
    movsxd rax, dword ptr [rdx + rax * 4]
    add rax, rdx
    jmp rax

operations:
    .long op_end - operations                   # 0
    .long op_write_register - operations        # 1 register, value
    .long op_read_register - operations         # 2 register; prints
    .long op_read_counter - operations          # 3 index; prints
    .long op_cpuid - operations                 # 4 leaf, subleaf; prints four
    .long op_random - operations                # 5 base, lines, count
    .long op_read - operations                  # 6 base, lines, rounds
    .long op_write - operations                 # 7 base, lines, rounds
    .long op_time - operations                  # 8 prints cycles since the last
    .long op_barrier - operations               # 9 address, how many
    .long op_start - operations                 # 10 starts the other vCPUs
    .long op_sleep - operations                 # 11 timer count; halts until it fires
    .long op_store - operations                 # 12 address, value
    .long op_load - operations                  # 13 address; prints
    .long op_read_until - operations            # 14 base, lines, flag
    .long op_write_until - operations           # 15 base, lines, flag
    .long op_print - operations                 # 16 prints its operand
    .long op_allow - operations                 # 17 interrupts on
    .long op_spin - operations                  # 18 loop of so many rounds, two instructions each

op_end:
    test ebp, ebp
    jnz stop
    mov al, 0x10                                # ends QEMU with 33
    out 0xF4, al
stop:
    cli
    hlt
    jmp stop

op_write_register:
    mov ecx, ebx
    mov eax, esi
    mov rdx, rsi
    shr rdx, 32
    wrmsr
    jmp next

op_read_register:
    mov ecx, ebx
    rdmsr
    jmp print_pair

op_read_counter:
    mov ecx, ebx
    rdpmc
print_pair:
    shl rdx, 32
    or rax, rdx
    call print
    jmp next

op_cpuid:
    mov eax, ebx
    mov ecx, esi
    cpuid
    mov r8, rbx
    mov r9, rcx
    mov r10, rdx
    mov eax, eax
    call print
    mov rax, r8
    call print
    mov rax, r9
    call print
    mov rax, r10
    call print
    jmp next

op_random:
    mov r8, 88172645463325252
    add r8, rbp
random_loop:
    mov rax, r8
    shl rax, 13
    xor r8, rax
    mov rax, r8
    shr rax, 7
    xor r8, rax
    mov rax, r8
    shl rax, 17
    xor r8, rax
    mov rax, r8
    shr rax, 32
    imul rax, rsi
    shr rax, 32
    shl rax, 6
    mov rax, [rbx + rax]
    dec rdi
    jnz random_loop
    jmp next

op_read:
    mov rcx, rsi
    mov rdx, rbx
read_loop:
    mov rax, [rdx]
    add rdx, 64
    dec rcx
    jnz read_loop
    dec rdi
    jnz op_read
    jmp next

op_write:
    mov rcx, rsi
    mov rdx, rbx
write_loop:
    mov [rdx], rcx
    add rdx, 64
    dec rcx
    jnz write_loop
    dec rdi
    jnz op_write
    jmp next

op_read_until:
    mov rcx, rsi
    mov rdx, rbx
read_until_loop:
    mov rax, [rdx]
    add rdx, 64
    dec rcx
    jnz read_until_loop
    cmp dword ptr [rdi], 0
    je op_read_until
    jmp next

op_write_until:
    mov rcx, rsi
    mov rdx, rbx
write_until_loop:
    mov [rdx], rcx
    add rdx, 64
    dec rcx
    jnz write_until_loop
    cmp dword ptr [rdi], 0
    je op_write_until
    jmp next

op_time:
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov r11, rax
    sub rax, r14
    mov r14, r11
    call print
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov r14, rax
    jmp next

op_barrier:
    lock inc dword ptr [rbx]
barrier_wait:
    pause
    cmp dword ptr [rbx], esi
    jb barrier_wait
    jmp next

op_start:
    mov r10d, 0xFEE00000
    mov dword ptr [r10 + 0x300], 0xC4500        # INIT to all others
    mov dword ptr [r10 + 0x300], 0xC46F0        # start at F0000
    jmp next

op_sleep:
    mov r10d, 0xFEE00000
    mov dword ptr [r10 + 0x3E0], 0xB             # count undivided
    mov dword ptr [r10 + 0x320], 0x40            # one shot, vector 40h
    mov dword ptr [r10 + 0x380], ebx
    sti
    hlt
    cli
    jmp next

op_store:
    mov dword ptr [rbx], esi
    jmp next

op_load:
    mov eax, [rbx]
    call print
    jmp next

op_print:
    mov rax, rbx
    call print
    jmp next

op_allow:
    sti
    jmp next

op_spin:
    dec rbx
    jnz op_spin
    jmp next

# RAX in hexadecimal and a line end, on the first serial port; keeps all but
# RAX, RCX, RDX, R12, R13.
print:
    mov r12, rax
    mov r13d, 16
print_digit:
    rol r12, 4
    mov eax, r12d
    and eax, 15
    lea rdx, [rip + digits]
    mov al, [rdx + rax]
    mov edx, 0x3F8
    out dx, al
    dec r13d
    jnz print_digit
    mov al, 10
    mov edx, 0x3F8
    out dx, al
    ret

interrupt_timer:
    lock inc dword ptr [0x7000]
    jmp interrupt_end
interrupt_counter:
    lock inc dword ptr [0x7008]
    jmp interrupt_end
interrupt_other:
    lock inc dword ptr [0x7010]
interrupt_end:
    push rax
    mov eax, 0xFEE000B0
    mov dword ptr [rax], 0
    pop rax
    iretq

digits:
    .ascii "0123456789abcdef"
.balign 8
table:
    .quad 0
    .quad 0x00CF9B000000FFFF                    # 8: code, 32 bits
    .quad 0x00CF93000000FFFF                    # 16: data
    .quad 0x00AF9B000000FFFF                    # 24: code, 64 bits
table_register:
    .word 31
    .long ROM + table - guest_start
interrupt_register:
    .word 0xFFF
    .quad 0x5000

.org guest_start + 0xFFF0, 0
.code16
    .byte 0xE9                                  # the reset vector: jmp enter16
    .word 0x10000 - 0xFFF3
.org guest_start + 0x10000, 0
guest_end:
.code64
.text
