// Every text that the pages show, in one place.

export const words = {
    pageLive: "Live view",

    sign: "Present sign",
    noSign: "no sign",
    noHand: "no hand in the picture",
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
    recognitionFailed: (reason) => (reason ? `not running: ${reason}` : "not running"),
    resultTime: "Result after",
    pictureDelay: "Picture held",
    overlay: "Landmarks",
    unknown: "not known yet",

    chipConnecting: "connecting",
    chipWaiting: "waiting for the picture",
    chipEnded: "not connected",
    chipNoPicture: "no picture",

    framesASecond: (n) => `${n.toFixed(0)} fps`,
    framesShown: (fps) => `${fps.toFixed(1)} frames a second`,
    resultsASecond: (n, skipped) =>
        skipped > 0 ? `${n.toFixed(1)} a second, ${skipped} skipped` : `${n.toFixed(1)} a second`,
    milliseconds: (ms) => `${ms.toFixed(0)} ms`,
    size: (width, height) => `${width} × ${height}`,
    percent: (share) => `${Math.round(share * 100)} %`,
    inStep: "on their own frame",
    behind: (ms) => `${Math.max(0, ms).toFixed(0)} ms behind the picture`,
    hiddenLandmarks: "hidden",

    connectAgain: "Connect again",
    logOut: "Log out",

    problems: {
        unreachable: {
            title: "The device does not answer",
            detail: "Check that it is switched on and that you are in the same network, then connect again.",
        },
        capacity: {
            title: "All places are taken",
            detail: "The device already serves as many viewers as it may. Connect again when somebody has left.",
        },
        noCodec: {
            title: "This browser cannot show the picture",
            detail: "It offers no H.264. Use Chromium, Chrome, Edge or Safari, or let Firefox go online once to fetch its H.264 plug-in.",
        },
        noWebRtc: {
            title: "This browser cannot show the picture",
            detail: "It has no WebRTC, or an extension or a policy has switched it off.",
        },
        refused: {
            title: "The device refused the connection",
            detail: "Load the page again. If it stays so, the device's log says why.",
        },
        failed: {
            title: "The picture cannot reach this browser",
            detail: "The device answered, but no network path for the video was found. A firewall may block UDP.",
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
            title: "No picture from the camera",
            detail: "The picture comes back by itself when the camera does.",
        },
        cameraStopped: {
            title: "The camera is stopped",
            detail: "It was stopped on request and starts on request.",
        },
    },

    login: {
        intro: "This device asks for its password before it shows the picture.",
        password: "Password",
        button: "Log in",
        working: "Checking …",
        wrong: "That is not the password. Try again.",
        empty: "Type the password first.",
        tooMany: (seconds) => `Too many tries. Wait ${seconds} seconds.`,
        unreachable: "The device does not answer. Check that it is switched on and in the same network.",
        other: (title) => `The device refused: ${title}`,
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
