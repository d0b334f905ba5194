// How the device itself fares, as GET /api/v1/device tells it.

import { make } from "./dom.js";
import { words } from "./words.js";

const said = words.facts;

/** Names and texts of what is known; what the device does not have is left out. */
export function factsOf(device) {
    const { temperatures = [], power, cpu, memory, disk, interfaces = [], clock = {}, missing = {} } = device;
    const named = Object.entries(power?.now ?? {}).filter(([, on]) => on === true).map(([kind]) => said.strains[kind] ?? kind);
    const before = Object.entries(power?.since_boot ?? {}).filter(([, on]) => on === true).map(([kind]) => said.strains[kind] ?? kind);
    return [
        [said.name, device.mdns_name ?? device.name],
        [said.version, device.version],
        [said.model, device.model],
        [said.uptime, device.device_uptime_s === undefined || device.device_uptime_s === null ? undefined : words.lasting(device.device_uptime_s)],
        [said.temperature, temperatures.map(({ name, celsius }) => said.degrees(name, celsius)).join(", ")],
        [said.power, power ? [named.join(", ") || said.good, before.length > 0 && said.sinceBoot(before.join(", "))].filter(Boolean).join("; ") : missing.power && said.noPower],
        [said.cpu, cpu && cpu.busy !== null && cpu.busy !== undefined ? said.busy(cpu.busy, cpu.cores) : undefined],
        [said.memory, memory && said.free(memory.available_bytes ?? memory.free_bytes, memory.total_bytes)],
        [said.disk, disk && said.free(disk.free_bytes, disk.total_bytes)],
        ...interfaces.map(({ name, kind, up, addresses }) => [said.interface(name, kind), up === false ? said.noLink : addresses.join(", ")]),
        [said.clock, clock.now_s && [words.moment(clock.now_s), clock.zone, clock.synchronised === false && said.unset].filter(Boolean).join(", ")],
    ].filter(([, text]) => text);
}

export function facts(device) {
    return [
        ...(device.warnings ?? []).map(({ what, todo }) => make("p", { class: "remark", textContent: [what, todo].filter(Boolean).join(": ") })),
        make("dl", {}, factsOf(device).map(([name, text]) => [make("dt", { textContent: name }), make("dd", { textContent: text })])),
    ];
}
