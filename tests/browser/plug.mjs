// A camera that can be pulled out: a plugin of GStreamer (tests/plugged) in the place of the
// V4L2 source and of udev's list of devices.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { binary } from "./signpost.mjs";

/** GStreamer's own V4L2 plugin, which would find the machine's cameras. */
const REPLACED = "libgstvideo4linux2.so";

/** `device`, a file under /dev whose text is the camera's state; `env` for the program; and `remove()`. */
export function plug() {
    const folder = mkdtempSync(join(tmpdir(), "signpost-camera-"));
    const device = `/dev/shm/${folder.split("/").at(-1)}`;
    const [own, system] = [join(folder, "own"), join(folder, "system")];
    mkdirSync(own);
    mkdirSync(system);
    copyFileSync(join(dirname(binary), "libgstplugged.so"), join(own, "libgstplugged.so"));
    const plugins = execFileSync("pkg-config", ["--variable=pluginsdir", "gstreamer-1.0"], { encoding: "utf8" }).trim();
    for (const file of readdirSync(plugins).filter((name) => name !== REPLACED)) symlinkSync(join(plugins, file), join(system, file));
    writeFileSync(device, "ok");
    const env = { GST_PLUGIN_PATH: own, GST_PLUGIN_SYSTEM_PATH: system, GST_REGISTRY: join(folder, "registry"), PLUGGED_CAMERA: device };
    const remove = () => {
        rmSync(folder, { recursive: true, force: true });
        rmSync(device, { force: true });
    };
    return { device, env, remove };
}
