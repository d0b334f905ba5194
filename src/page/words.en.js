// Every text that the pages show, in one place.

/** A space at which no line is broken. */
const TOGETHER = "\u00a0";

export const words = {
    pageLive: "Live view",
    video: "What the camera sees",

    sign: "Present sign",
    noSign: "no sign",
    noHand: "no hand in the picture",
    nothing: "nothing that the model knows",
    noResults: "no results",
    transcript: "Transcript",
    transcriptEmpty: "Signs that are held for a moment appear here.",
    clear: "Clear",

    landmarks: "Hand landmarks",
    lowestLatency: "Lowest latency",
    lowestLatencyHelp: "Shows the picture as soon as it arrives. The landmarks then follow a moment later.",

    details: "Details",
    source: "Source",
    picture: "Picture",
    encoder: "Encoder",
    shown: "Shown",
    recognition: "Recognition",
    recognitionStarts: "loading the model",
    recognitionDegraded: (rate, reason) => [rate, reason].filter(Boolean).join("; "),
    recognitionFailed: (reason) => (reason ? `not running: ${reason}` : "not running"),
    resultTime: "Result after",
    pictureDelay: "Picture held",
    overlay: "Landmarks",
    unknown: "not known yet",
    connection: "Connection",
    networkPath: "Network path",
    network: "Network",
    rendition: "Rendition",

    /** What a connection is doing (connection.js). */
    phases: {
        gathering: "preparing",
        asking: "asking the device",
        checking: "looking for a path to the device",
        securing: "agreeing on encryption",
        waiting: "waiting for the picture",
        live: "live",
        closed: "closed",
    },
    noConnection: "none",
    /** Types of addresses, as the specification of ICE calls them. */
    addresses: {
        host: "direct",
        srflx: "through a NAT",
        prflx: "found on the way",
        relay: "through a relay",
    },
    path: (local, remote, protocol) =>
        `${[local, remote].map((type) => (type ? `${words.addresses[type] ?? type} (${type})` : "?")).join(" – ")}, ${protocol ?? "?"}`,
    linkFigures: ({ roundTrip_ms, loss, bitrate_kbps }) =>
        [
            roundTrip_ms !== undefined && `${roundTrip_ms.toFixed(0)} ms there and back`,
            `${words.percent(loss)} lost`,
            `${(bitrate_kbps / 1000).toFixed(1)}${TOGETHER}Mbit/s`,
        ].filter(Boolean).join(", "),

    renditions: { full: "full picture", low: "smaller picture", vp8: "VP8 picture" },
    renditionReasons: {
        network: "the network is slow",
        requests: "too many pictures got lost",
    },
    renditionBecause: (name, reason) => (reason ? `${name}: ${reason}` : name),

    connectingAgain: "The connection was lost. Connecting again …",
    attemptOf: (attempt, all) => `Attempt ${attempt} of ${all} …`,
    attemptFollows: (why, attempt, all, awaited) => `${why}. Attempt ${attempt} of ${all} follows ${awaited}.`,
    onceItAnswers: "as soon as the device answers",
    shortly: "in a moment",
    inSeconds: (seconds) => `in ${seconds.toFixed(0)} s`,
    clearLater: "The transcript is cleared when the connection is back.",
    clearImpossible: "There is no connection, so the transcript cannot be cleared.",

    /** Trouble on the link (trouble.js), one quiet line each. */
    troubles: {
        undecoded: () => "Data arrives, but no picture can be made of it.",
        loss: (share) => `The network loses ${words.percent(share)} of the packets.`,
        buffered: () => "The network takes what this page sends only slowly.",
        roundTrip: (ms) => `The network is slow: ${words.milliseconds(ms)} there and back.`,
        dropped: (share) => `This browser is too busy: it leaves out ${words.percent(share)} of the pictures.`,
    },

    chipConnecting: "connecting",
    chipWaiting: "waiting for the picture",
    chipReconnecting: "connecting again",
    chipEnded: "not connected",
    chipNoPicture: "no picture",

    framesASecond: (n) => `${n.toFixed(0)}${TOGETHER}fps`,
    framesShown: (fps) => `${fps.toFixed(1)} frames a second`,
    resultsASecond: (n, skipped) =>
        skipped > 0 ? `${n.toFixed(1)} a second, ${skipped} skipped` : `${n.toFixed(1)} a second`,
    milliseconds: (ms) => `${ms.toFixed(0)}${TOGETHER}ms`,
    size: (width, height) => `${width} × ${height}`,
    percent: (share) => `${Math.round(share * 100)}${TOGETHER}%`,
    inStep: "on their own frame",
    behind: (ms) => `${Math.max(0, ms).toFixed(0)} ms behind the picture`,
    hiddenLandmarks: "hidden",

    connectAgain: "Connect again",
    showPicture: "Show the picture",
    startCamera: "Start the camera",
    /** `began`: milliseconds since 1970. */
    since(what, began) {
        const moment = new Date(began);
        const today = moment.toDateString() === new Date().toDateString();
        const time = moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
        return `${what} since ${today ? time : `${moment.toLocaleDateString("en-GB")}, ${time}`}`;
    },
    logOut: "Log out",

    problems: {
        unreachable: {
            title: "The device does not answer",
            detail: "Check that it is switched on and that you are in the same network. The picture comes back by itself when the device answers.",
        },
        capacity: {
            title: "All places are taken",
            detail: "The device already serves as many viewers as it may. Connect again when somebody has left.",
        },
        noCodec: {
            title: "This browser cannot show the picture",
            detail: "It offers neither H.264 nor VP8. Use another browser, or open /api/v1/stream.mjpeg on this device.",
        },
        noWebRtc: {
            title: "This browser cannot show the picture",
            detail: "It has no WebRTC, or an extension or a policy has switched it off.",
        },
        refused: {
            title: "The device refused the connection",
            detail: "Load the page again. If it stays so, the device's log says why.",
        },
        unfit: {
            title: "This browser and the device do not fit",
            detail: "A server under [ice] in the device's configuration may be wrong, or one of the two is too old. The browser says:",
        },
        failed: {
            title: "The picture cannot reach this browser",
            detail: "The device answered, but no network path for the video was found. A firewall may block UDP.",
        },
        checking: {
            title: "No path to the device was found",
            detail: "The device answered, but its packets do not arrive here. A firewall may block UDP: allow it between this computer and the device, or have a TURN server configured on the device ([ice] servers).",
        },
        stalled: {
            title: "This browser does not look for a path to the device",
            detail: "Close the browser and open it again. It happens when the network changes while a page is loading.",
        },
        securing: {
            title: "The connection could not be secured",
            detail: "A path was found, but the encryption (DTLS) was not agreed on. Connect again; if it stays so, something between here and the device changes or drops its packets.",
        },
        noPicture: {
            title: "Connected, but no picture",
            detail: "The connection stands and no picture came. The camera may still be starting, or the network is too slow for it. Connect again; if it stays so, the device's status says what its camera does.",
        },
        notPlayed: {
            title: "This browser waits for you",
            detail: "It plays no picture until somebody asks for it: a setting against autoplay, or its battery saver.",
        },
        lost: {
            title: "The connection was lost",
            detail: "The device went away, restarted, or changed its address.",
        },
        ended: {
            title: "The device ended the connection",
            detail: "It may be restarting.",
        },
        cameraFailed: {
            title: "No camera",
            detail: "The picture comes back by itself when the camera does.",
        },
        clipFailed: {
            title: "No picture",
            detail: "The picture comes back by itself when the clip can be played.",
        },
        cameraStopped: {
            title: "The camera is stopped",
            detail: "Somebody has stopped it. It starts when somebody asks for it.",
        },
    },

    setup: {
        title: "Set up this camera",
        intro: "It is new, and shows nothing until it has a password.",
        code: "Set-up code",
        where: "On the device's screen and in its journal, as 7KQ2-M901. Or run on it: sudo signpost setup-code",
        name: "Name (optional)",
        found: (name) => `It will be found as ${name}.local`,
        password: "Password of admin",
        rule: "At least 8 characters; none that is soon guessed.",
        again: "Once more",
        button: "Set up",
        noCode: "Type the set-up code first.",
        wrong: "That is not this camera's set-up code. Try again.",
        badName: "A name has letters, digits and hyphens alone, and no hyphen at its ends.",
        tooShort: "The password needs at least 8 characters.",
        differ: "The two passwords differ.",
        remark: (remark) => `The camera is set up, but it kept its name: ${remark}`,
    },

    login: {
        intro: "This device asks who you are before it shows the picture.",
        user: "User",
        password: "Password",
        button: "Log in",
        working: "Checking …",
        wrong: "User and password do not match. Try again.",
        empty: "Type the password first.",
        tooMany: (seconds) => `Too many tries. Wait ${seconds} seconds.`,
        unreachable: "The device does not answer. Check that it is switched on and in the same network.",
        other: (title) => `The device refused: ${title}`,
    },

    trust: {
        title: "A connection that your browser trusts",
        intro: "This camera vouches for itself, because nobody else knows it. Your browser warns until you trust it, once, in two steps.",
        load: "Load its certificate, and compare.",
        file: "Certificate (Windows, Android, Linux)",
        profile: "Profile (iPhone, iPad, Mac)",
        compare: "Your system shows this fingerprint (SHA-256) before it trusts. It must be the one of the authority that the device's journal names, and that sudo signpost check tells on it:",
        code: "The fingerprint as a QR code",
        open: "Trust it, then open the camera by its name.",
        ios: "iPhone, iPad: Settings, Profile Downloaded, Install. Then General, About, Certificate Trust Settings: switch it on.",
        android: "Android: Settings, Security, Install a certificate, CA certificate.",
        windows: "Windows: open the file, Install Certificate, Current User, Trusted Root Certification Authorities.",
        mac: "Mac: open the profile, then System Settings, Profiles, Install.",
        firefox: "Firefox: Settings, Certificates, View Certificates, Authorities, Import.",
        limits: "What you trust is good for this camera's name and addresses alone. Whoever steals it can vouch for nothing else.",
        none: "This device serves no HTTPS.",
        waiting: (why) => `There is no certificate yet: ${why}`,
        brought: "This device shows a certificate of its owner's authority. If your browser warns, ask who runs the device.",
    },
};

/** Puts the texts into the elements that name them, such as `data-words="login.intro"`. */
export function fill(root) {
    const lookUp = (key) => key.split(".").reduce((inner, part) => inner[part], words);
    for (const element of root.querySelectorAll("[data-words]")) {
        element.textContent = lookUp(element.dataset.words);
    }
    for (const element of root.querySelectorAll("[data-words-label]")) {
        element.setAttribute("aria-label", lookUp(element.dataset.wordsLabel));
    }
}
