//! The part of QEMU that is used, declared by hand: the plugin interface
//! (version 4) and, below it, functions that QEMU exports without promising
//! them. All are looked up when the plugin loads, so that another QEMU gets
//! one clear line instead of a loader's complaint.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

/// A plugin's identity.
pub(crate) type PluginId = u64;
/// How a load or store was done; opaque.
pub(crate) type MemoryInfo = u32;
/// A `CPUState`.
pub(crate) type Cpu = *mut u8;

/// Called when a block or instruction is about to run.
pub(crate) type ExecCallback = unsafe extern "C" fn(c_uint, *mut c_void);
/// Called after a load or store.
pub(crate) type MemoryCallback = unsafe extern "C" fn(c_uint, MemoryInfo, u64, *mut c_void);
/// Called when a vCPU starts.
pub(crate) type VcpuCallback = unsafe extern "C" fn(PluginId, c_uint);
/// Called when a block has been translated.
pub(crate) type TranslateCallback = unsafe extern "C" fn(PluginId, *mut Block);
/// Called when the emulator ends.
pub(crate) type ExitCallback = unsafe extern "C" fn(PluginId, *mut c_void);

/// A translated block; opaque.
#[repr(C)]
pub(crate) struct Block {
    _opaque: [u8; 0],
}

/// A translated instruction; opaque.
#[repr(C)]
pub(crate) struct Instruction {
    _opaque: [u8; 0],
}

/// A word of the scoreboard.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Word {
    pub(crate) scoreboard: *mut c_void,
    pub(crate) offset: usize,
}

/// What the plugin is told about the emulator.
#[repr(C)]
pub(crate) struct Info {
    pub(crate) target_name: *const c_char,
    pub(crate) minimum_version: c_int,
    pub(crate) current_version: c_int,
    pub(crate) system_emulation: bool,
    pub(crate) vcpus: c_int,
    pub(crate) most_vcpus: c_int,
}

/// A loaded or stored value; only the first eight bytes are looked at.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct MemoryValue {
    kind: c_uint,
    pub(crate) low: u64,
    high: u64,
}

pub(crate) const NO_REGISTERS: c_int = 0;
pub(crate) const ALL_REGISTERS: c_int = 2;
pub(crate) const READS: c_int = 1;
pub(crate) const WRITES: c_int = 2;
pub(crate) const AT_LEAST: c_int = 7;
pub(crate) const ADD: c_int = 0;

/// Declares a table of functions and how to fill it.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal : fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The functions, by what they do here.
        #[derive(Clone, Copy)]
        pub(crate) struct Qemu {
            $($(#[$doc])* pub(crate) $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
        }

        impl Qemu {
            /// Looks all of them up in the running process.
            ///
            /// # Errors
            /// Names the first one that is missing.
            pub(crate) fn find() -> Result<Self, String> {
                Ok(Self {
                    $($name: {
                        let address = symbol($symbol)?;
                        // SAFETY: the symbol is a function of this type in every QEMU that
                        // passes the checks made at load.
                        unsafe {
                            std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($arg),*) $(-> $ret)?>(address)
                        }
                    },)*
                })
            }
        }
    };
}

functions! {
    register_vcpu_init = c"qemu_plugin_register_vcpu_init_cb": fn(PluginId, VcpuCallback);
    register_translate = c"qemu_plugin_register_vcpu_tb_trans_cb": fn(PluginId, TranslateCallback);
    register_exit = c"qemu_plugin_register_atexit_cb": fn(PluginId, ExitCallback, *mut c_void);
    on_block = c"qemu_plugin_register_vcpu_tb_exec_cb": fn(*mut Block, ExecCallback, c_int, *mut c_void);
    on_block_if = c"qemu_plugin_register_vcpu_tb_exec_cond_cb":
        fn(*mut Block, ExecCallback, c_int, c_int, Word, u64, *mut c_void);
    in_block = c"qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu": fn(*mut Block, c_int, Word, u64);
    on_instruction = c"qemu_plugin_register_vcpu_insn_exec_cb":
        fn(*mut Instruction, ExecCallback, c_int, *mut c_void);
    on_memory = c"qemu_plugin_register_vcpu_mem_cb":
        fn(*mut Instruction, MemoryCallback, c_int, c_int, *mut c_void);
    block_length = c"qemu_plugin_tb_n_insns": fn(*const Block) -> usize;
    block_address = c"qemu_plugin_tb_vaddr": fn(*const Block) -> u64;
    block_instruction = c"qemu_plugin_tb_get_insn": fn(*const Block, usize) -> *mut Instruction;
    instruction_bytes = c"qemu_plugin_insn_data": fn(*const Instruction, *mut c_void, usize) -> usize;
    instruction_size = c"qemu_plugin_insn_size": fn(*const Instruction) -> usize;
    hardware_address = c"qemu_plugin_get_hwaddr": fn(MemoryInfo, u64) -> *const c_void;
    is_device = c"qemu_plugin_hwaddr_is_io": fn(*const c_void) -> bool;
    physical_address = c"qemu_plugin_hwaddr_phys_addr": fn(*const c_void) -> u64;
    memory_value = c"qemu_plugin_mem_get_value": fn(MemoryInfo) -> MemoryValue;
    new_scoreboard = c"qemu_plugin_scoreboard_new": fn(usize) -> *mut c_void;
    find_scoreboard = c"qemu_plugin_scoreboard_find": fn(*mut c_void, c_uint) -> *mut c_void;

    // Below: exported, not promised.
    get_cpu = c"qemu_get_cpu": fn(c_int) -> Cpu;
    request_exit = c"cpu_exit": fn(Cpu);
    restore_state = c"cpu_restore_state": fn(Cpu, usize) -> bool;
    leave_loop = c"cpu_loop_exit_noexc": fn(Cpu) -> !;
    has_work = c"cpu_has_work": fn(Cpu) -> bool;
    is_stopped = c"cpu_is_stopped": fn(Cpu) -> bool;
    thread_is_idle = c"cpu_thread_is_idle": fn(Cpu) -> bool;
    has_flags = c"tcg_cflags_has": fn(Cpu, u32) -> bool;
    flush_blocks = c"tb_flush": fn(Cpu);
    emulated_cpuid = c"cpu_x86_cpuid": fn(*mut u64, u32, u32, *mut u32, *mut u32, *mut u32, *mut u32);
    run_timers = c"icount_handle_deadline": fn();
    virtual_clock = c"icount_get": fn() -> i64;
    lock = c"bql_lock_impl": fn(*const c_char, c_int);
    unlock = c"bql_unlock": fn();
    is_locked = c"bql_locked": fn() -> bool;
    class_by_name = c"object_class_by_name": fn(*const c_char) -> *mut usize;
    physical_memory = c"cpu_physical_memory_rw": fn(u64, *mut c_void, u64, bool);
}

/// The address of an exported symbol.
///
/// # Errors
/// Names it when it is missing.
pub(crate) fn symbol(name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the name is a C string; the lookup has no other precondition.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if address.is_null() {
        return Err(format!("it has no {}", name.to_string_lossy()));
    }
    Ok(address)
}
