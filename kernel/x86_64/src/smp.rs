//! Starting application processors: the INIT–SIPI–SIPI sequence (SDM vol. 3A
//! 9.4.4) and the code a core runs from real mode to its Rust entry point.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, Ordering};

use x86_64::registers::control::{Cr0, Cr4};
use x86_64::registers::model_specific::Efer;

use crate::apic::{self, Ipi};

// Real mode goes to long mode in one step: paging and protection are turned on
// together with EFER.LME set (SDM vol. 3A 10.8.5 allows it), so that no 32-bit
// code is needed. `Trampoline` fills the fields at the fixed offsets below.
global_asm!(
    ".pushsection .rodata.trampoline, \"a\"",
    ".balign 16",
    ".global umbra_trampoline_begin",
    "umbra_trampoline_begin:",
    ".code16",
    "cli",
    "cld",
    "mov ax, cs",
    "mov ds, ax",
    "mov eax, dword ptr [{cr4}]",
    "mov cr4, eax",
    "mov eax, dword ptr [{cr3}]",
    "mov cr3, eax",
    "mov ecx, 0xC0000080",
    "mov eax, dword ptr [{efer}]",
    "xor edx, edx",
    "wrmsr",
    "lgdt [{gdtr}]",
    "mov eax, dword ptr [{cr0}]",
    "mov cr0, eax",
    // jmp 8:imm32, with the target patched in.
    ".byte 0x66, 0xEA",
    ".global umbra_trampoline_jump",
    "umbra_trampoline_jump:",
    ".long umbra_trampoline_long - umbra_trampoline_begin",
    ".word 8",
    ".code64",
    "umbra_trampoline_long:",
    "mov ax, 16",
    "mov ds, ax",
    "mov es, ax",
    "mov ss, ax",
    "lea rbx, [rip + umbra_trampoline_begin]",
    "mov rsp, [rbx + {stack}]",
    "mov rdi, [rbx + {argument}]",
    "xor ebp, ebp",
    "call [rbx + {entry}]",
    "ud2",
    ".global umbra_trampoline_end",
    "umbra_trampoline_end:",
    ".popsection",
    cr0 = const CR0,
    cr3 = const CR3,
    cr4 = const CR4,
    efer = const EFER,
    gdtr = const GDTR,
    stack = const STACK,
    entry = const ENTRY,
    argument = const ARGUMENT,
);

const GDT: usize = 0x200;
const GDTR: usize = 0x218;
const CR0: usize = 0x220;
const CR3: usize = 0x228;
const CR4: usize = 0x230;
const EFER: usize = 0x238;
const STACK: usize = 0x240;
const ENTRY: usize = 0x248;
const ARGUMENT: usize = 0x250;

/// Null, 64-bit code, data (SDM vol. 3A 3.4.5 and 5.2.1).
const SEGMENTS: [u64; 3] = [0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF];

unsafe extern "C" {
    static umbra_trampoline_begin: u8;
    static umbra_trampoline_end: u8;
    static umbra_trampoline_jump: u8;
}

/// A page below 1 MiB with the start-up code in it.
#[derive(Debug)]
pub struct Trampoline {
    physical: u32,
    writable: *mut u8,
}

impl Trampoline {
    /// Copies the code to the page at `physical`, seen for writing at
    /// `writable`. The cores will use the page tables at `root`.
    ///
    /// None when `physical` is not a page below 1 MiB or `root` is not below
    /// 4 GiB (a core in real mode can load no other).
    ///
    /// # Safety
    /// The page is nobody else's, `writable` maps it, and it is mapped at its
    /// own physical address for execution under `root`.
    #[must_use]
    pub unsafe fn install(physical: u64, writable: *mut u8, root: u64) -> Option<Self> {
        let physical =
            u32::try_from(physical).ok().filter(|address| address & 0xFFF == 0 && *address < 0x10_0000)?;
        let root = u32::try_from(root).ok()?;
        let trampoline = Self { physical, writable };
        let length = offset_of(&raw const umbra_trampoline_end);
        assert!(length <= GDT, "the start-up code runs into its fields");
        // SAFETY: the code is shorter than a page and the caller gives us one.
        unsafe { core::ptr::copy_nonoverlapping(&raw const umbra_trampoline_begin, writable, length) };
        // SAFETY: the jump's target lies inside the copied code.
        let jump = unsafe { writable.add(offset_of(&raw const umbra_trampoline_jump)).cast::<u32>() };
        // SAFETY: as above.
        unsafe { jump.write_unaligned(jump.read_unaligned() + physical) };
        for (index, segment) in SEGMENTS.into_iter().enumerate() {
            trampoline.set(GDT + 8 * index, segment);
        }
        // Limit in the low 16 bits, base above them.
        trampoline.set(GDTR, 23 | (u64::from(physical) + GDT as u64) << 16);
        trampoline.set(CR0, Cr0::read_raw());
        trampoline.set(CR3, u64::from(root));
        // PCID may only be set once in long mode; we do not use it.
        trampoline.set(CR4, Cr4::read_raw() & !(1 << 17));
        // LMA is read-only status: only what may be written is kept.
        trampoline.set(EFER, Efer::read_raw() & !(1 << 10));
        Some(trampoline)
    }

    /// Starts the core with APIC id `target` on `stack_top`; it calls
    /// `entry(argument)` and must set `answered` to a non-zero value. Returns
    /// whether it did within the time that `pause_us` gives (three times).
    ///
    /// # Safety
    /// The stack is the core's own and stays; `entry` sets up the rest.
    pub unsafe fn start(
        &self,
        target: u32,
        stack_top: u64,
        entry: extern "sysv64" fn(u64) -> !,
        argument: u64,
        answered: &AtomicU32,
        pause_us: &dyn Fn(u64),
    ) -> bool {
        // A function is entered by `call` with RSP a multiple of 16.
        self.set(STACK, stack_top & !0xF);
        self.set(ENTRY, entry as usize as u64);
        self.set(ARGUMENT, argument);
        core::sync::atomic::fence(Ordering::SeqCst);
        let [_, page, _, _] = (self.physical >> 4).to_le_bytes();
        apic::send(target, Ipi::Init);
        pause_us(10_000);
        for _ in 0..2 {
            apic::send(target, Ipi::Startup(page));
            pause_us(200);
            if answered.load(Ordering::Acquire) != 0 {
                return true;
            }
        }
        // Slow machines (emulators on a loaded host) get a second to answer.
        for _ in 0..1_000 {
            if answered.load(Ordering::Acquire) != 0 {
                return true;
            }
            pause_us(1_000);
        }
        false
    }

    fn set(&self, offset: usize, value: u64) {
        // SAFETY: the offsets given here are eight-byte fields of the page.
        unsafe { self.writable.add(offset).cast::<u64>().write_unaligned(value) };
    }
}

fn offset_of(symbol: *const u8) -> usize {
    symbol as usize - (&raw const umbra_trampoline_begin) as usize
}
