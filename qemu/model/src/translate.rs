//! What is put into translated code.

use std::ffi::c_void;
use std::ptr;

use crate::accesses::{loaded, stored, translation_changes};
use crate::api::{ADD, ALL_REGISTERS, AT_LEAST, Block, ExecCallback, NO_REGISTERS, PluginId, READS, WRITES};
use crate::decode::{Special, special};
use crate::emulate::Site;
use crate::entries::{on_limit, on_special, on_start};
use crate::model::{LIMIT, model, user};

/// The longest instruction.
const LONGEST: usize = 15;

pub(crate) unsafe extern "C" fn block_translated(_: PluginId, block: *mut Block) {
    // SAFETY: QEMU calls this on the emulating thread with a block of its own.
    unsafe { instrument(block) }
}

unsafe fn instrument(block: *mut Block) {
    // SAFETY: as the caller's.
    unsafe {
        let model = model();
        let qemu = &model.qemu;
        let none: *mut c_void = ptr::null_mut();
        let length = (qemu.block_length)(block);
        (qemu.on_block_if)(
            block,
            on_limit as ExecCallback,
            ALL_REGISTERS,
            AT_LEAST,
            model.words,
            LIMIT,
            none,
        );
        if !model.started && (qemu.block_address)(block) >= model.arguments.start {
            (qemu.on_block)(block, on_start as ExecCallback, ALL_REGISTERS, none);
        }
        (qemu.in_block)(block, ADD, model.words, u64::try_from(length).unwrap_or(0));
        for at in 0..length {
            let instruction = (qemu.block_instruction)(block, at);
            let mut bytes = [0u8; LONGEST];
            let size = (qemu.instruction_size)(instruction).min(LONGEST);
            let copied = (qemu.instruction_bytes)(instruction, bytes.as_mut_ptr().cast(), size).min(size);
            match special(&bytes[..copied]) {
                None => {}
                Some(Special::Translation) => {
                    (qemu.on_instruction)(instruction, translation_changes, NO_REGISTERS, none);
                }
                Some(special) => {
                    let site = Site { special, size, after: length - at - 1 };
                    let callback = on_special as ExecCallback;
                    (qemu.on_instruction)(instruction, callback, ALL_REGISTERS, user(site.pack()));
                }
            }
            if model.started {
                (qemu.on_memory)(instruction, loaded, NO_REGISTERS, READS, none);
                (qemu.on_memory)(instruction, stored, NO_REGISTERS, WRITES, none);
            }
        }
    }
}
