"""English wording of the built-in ticket model (see `tables` for the meaning of each table)."""

# fmt: off
SYMPTOMS = {
    "vpn.drops": (
        "VPN disconnects all the time", "Remote access drops every few minutes",
        "The VPN client connects but the tunnel falls after a few minutes.",
        "My remote session is cut again and again while I work from home."),
    "vpn.refused": (
        "VPN client refuses to connect", "Remote access rejected at start",
        "The VPN client stops at the handshake and never opens the tunnel.",
        "When I press connect the gateway turns me away at once."),
    "vpn.slow": (
        "VPN extremely slow", "Remote access crawls since the update",
        "Once the VPN is up every application takes ages to answer.",
        "Opening a small document through the tunnel needs more than a minute."),
    "mail.send": (
        "Cannot send e-mail", "Messages stuck in the outbox",
        "Every message that I write stays in the outbox.",
        "Mail comes in as usual but nothing I send goes out."),
    "mail.search": (
        "Mail search returns nothing", "Old messages cannot be found",
        "Searching my mailbox gives an empty list even for words I can see.",
        "The search bar of the mail program finds no message older than a week."),
    "mail.late": (
        "New mail arrives hours late", "Calendar and inbox out of date",
        "My inbox only refreshes when I close and open the program.",
        "Colleagues get the same message two hours before me."),
    "printer.blank": (
        "Printer delivers blank pages", "Grey stripes on all prints",
        "Half of the sheets come out white and the rest carry stripes.",
        "The text on my printed pages is too pale to read."),
    "printer.queue": (
        "Print jobs stuck in the queue", "Nothing comes out of the printer",
        "My jobs wait in the print queue and never start.",
        "I sent five documents and the printer stays silent."),
    "printer.scan": (
        "Scan to mail does not work", "Scanned documents never arrive",
        "The copier scans the sheets but the file never reaches my inbox.",
        "Scanning a contract ends with a failed delivery on the panel."),
    "erp.post": (
        "Invoice cannot be posted", "Posting blocked in the ERP",
        "Saving a supplier invoice ends with a blocked document.",
        "The ERP keeps my posting on hold and shows an hourglass."),
    "erp.slow": (
        "ERP reports take very long", "Order list in the ERP is slow",
        "The monthly report needs twenty minutes where it took one.",
        "Each click in the order list of the ERP freezes the window."),
    "erp.denied": (
        "No authorisation in the ERP", "ERP transaction denied",
        "The ERP tells me that I may not open the purchasing screen.",
        "I changed team and my usual transactions are now greyed out."),
    "wifi.missing": (
        "Wireless network not visible", "No office Wi-Fi in the list",
        "My laptop no longer shows the office network in the list.",
        "The wireless icon finds the guest network only."),
    "wifi.roaming": (
        "Wi-Fi lost when changing rooms", "Wireless breaks in the corridor",
        "When I walk to a meeting room the Wi-Fi falls and does not return.",
        "The wireless link breaks each time I leave my desk."),
    "wifi.rejected": (
        "Wi-Fi rejects my laptop", "Wireless sign-in fails",
        "The office network asks me to trust something and then rejects me.",
        "Wireless sign-in fails although the same laptop works by cable."),
    "login.badge": (
        "Badge not recognised", "Badge reader stays red",
        "I hold my badge to the reader and the light stays red.",
        "The terminal does not accept my badge although it opens the doors."),
    "login.loop": (
        "Sign-in page loops", "Portal sends me back to sign-in",
        "After the sign-in page I am sent back to the sign-in page.",
        "The portal accepts me, blinks and asks me to start again."),
    "login.lock": (
        "Account locked every morning", "Account blocked again and again",
        "My account is locked each morning before I type anything.",
        "Support frees my account and an hour later it is blocked again."),
    "share.missing": (
        "Team drive has disappeared", "Network drive missing",
        "The drive of our team is gone from the explorer.",
        "After start-up the shared folders are not listed any more."),
    "share.denied": (
        "Cannot write to the team folder", "Shared folder is read-only",
        "I can read the team folder but saving is denied.",
        "Creating a document in our shared folder is refused."),
    "share.full": (
        "No space left on the team drive", "Team drive reports disk full",
        "Copying a presentation to the team drive stops with no space left.",
        "The shared drive says that it is full although we deleted a lot."),
    "meeting.audio": (
        "No sound in video meetings", "Microphone dead during calls",
        "Nobody hears me in video meetings and I hear them badly.",
        "My headset works with music but stays mute in meetings."),
    "meeting.video": (
        "Camera image frozen in meetings", "Video meetings are choppy",
        "The picture freezes as soon as three people join the meeting.",
        "Shared screens reach me as a blurred still image."),
    "meeting.join": (
        "Cannot join video meetings", "Join button does nothing",
        "I press join in the invitation and no meeting opens.",
        "The meeting program waits in the lobby for ever."),
    "laptop.battery": (
        "Laptop battery empty within an hour", "Laptop dies without the charger",
        "The battery falls from full to empty in less than an hour.",
        "Without the charger my laptop switches off during a call."),
    "laptop.dock": (
        "Docking station not detected", "Screens stay black on the dock",
        "The two screens on the docking station stay black.",
        "When I plug the dock in neither keyboard nor screens react."),
    "laptop.boot": (
        "Laptop does not start", "Laptop hangs at start-up",
        "My laptop shows the logo and restarts without end.",
        "The computer hangs at a black page with a cursor."),
}
GENERIC = {
    "vpn": ("VPN problem", "Working remotely over the VPN is impossible for me."),
    "mail": ("Mail problem", "My mail program does not behave as it should."),
    "printer": ("Printer problem", "The printer on our floor is unusable."),
    "erp": ("ERP problem", "I cannot finish my work in the ERP."),
    "wifi": ("Wi-Fi problem", "The office Wi-Fi does not work on my laptop."),
    "login": ("Sign-in problem", "I cannot sign in as I normally do."),
    "share": ("Shared drive problem", "Our shared drive gives us trouble."),
    "meeting": ("Video meeting problem", "I cannot take part in video meetings properly."),
    "laptop": ("Laptop problem", "My laptop is not usable in this state."),
}
FAMILIES = {
    "network": ("Connection problem", "The connection fails and I cannot reach my colleagues."),
    "access": ("Access problem", "I no longer get to the documents that I need."),
    "device": ("Nothing works any more", "It worked yesterday and now it does not do its job."),
}
CAUSES = {
    "vpn.certificate": (
        "an expired certificate in the VPN client", "renewed the client certificate",
        "the tunnel opens at the first attempt"),
    "vpn.profile": (
        "an outdated gateway profile", "replaced the gateway profile",
        "remote applications answer at once"),
    "vpn.packets": (
        "packets too large for the home router", "lowered the packet size of the tunnel",
        "the remote session holds"),
    "vpn.pool": (
        "an exhausted address pool on the gateway", "extended the address pool",
        "new tunnels receive an address again"),
    "mail.quota": (
        "a mailbox over its quota", "archived the old folders",
        "outgoing messages leave the outbox"),
    "mail.index": (
        "a damaged search index", "rebuilt the search index of the mailbox",
        "searches list old and new messages"),
    "mail.cache": (
        "a corrupt local mail cache", "deleted the local cache",
        "the inbox refreshes by itself"),
    "printer.toner": (
        "a worn toner cartridge", "fitted a new cartridge",
        "test pages come out black and sharp"),
    "printer.spooler": (
        "a blocked print spooler", "emptied the spooler",
        "waiting jobs print in order"),
    "printer.driver": (
        "a broken printer driver", "restored the previous printer driver",
        "documents print with the right layout"),
    "printer.relay": (
        "a mail relay that refuses the copier", "added the copier to the list of the mail relay",
        "scans reach the inbox"),
    "erp.lock": (
        "a table lock left by an aborted batch", "released the table lock",
        "invoices post without waiting"),
    "erp.statistics": (
        "outdated database statistics on the order table", "refreshed the statistics",
        "reports end in less than a minute"),
    "erp.role": (
        "a role lost in the last reorganisation", "assigned the missing role",
        "the purchasing screen opens"),
    "wifi.antenna": (
        "a failed access point above the desk", "exchanged the access point",
        "the office network shows full signal"),
    "wifi.driver": (
        "an old wireless driver", "installed the current wireless driver",
        "the wireless link holds"),
    "wifi.authority": (
        "a missing root certificate", "deployed the root certificate",
        "the laptop joins the network by itself"),
    "login.clock": (
        "a clock that drifts on the badge terminal", "set the clock of the terminal",
        "the reader turns green"),
    "login.cookies": (
        "stale session cookies in the browser", "cleared the session cookies",
        "the portal opens after one sign-in"),
    "login.phone": (
        "an old phone that still tries former credentials", "removed the old phone",
        "the account stays open"),
    "share.mapping": (
        "a mapping script that ended too early", "corrected the mapping script",
        "the drive appears after each start"),
    "share.group": (
        "a lost membership in the team group", "put the caller back in the team group",
        "new documents can be saved"),
    "share.volume": (
        "a volume filled by old snapshots", "removed old snapshots",
        "large copies finish"),
    "meeting.sound": (
        "a sound device chosen wrongly after an update", "selected the headset",
        "both sides hear each other"),
    "meeting.ports": (
        "media ports blocked by the firewall", "opened the media ports on the firewall",
        "the picture and the screens stay fluid"),
    "meeting.plugin": (
        "an outdated calendar plug-in", "updated the calendar plug-in",
        "meetings open from the invitation"),
    "laptop.cell": (
        "a worn battery cell", "replaced the battery",
        "the laptop runs without the charger"),
    "laptop.supply": (
        "a faulty power supply of the dock", "exchanged the power supply of the dock",
        "both screens light up"),
    "laptop.firmware": (
        "outdated firmware on the laptop", "flashed the current firmware",
        "the laptop starts up normally"),
}
SUFFIXES = ((0.60, ""), (0.20, " - {site}"), (0.20, " ({code})"))
GREETINGS = ((0.35, ""), (0.30, "Hello. "), (0.20, "Good morning. "), (0.15, "Hi team. "))
CONTEXTS = (
    (0.35, " I work at the {site} office."), (0.30, " This happens on the {site} site, second floor."),
    (0.20, " I am in {site} this week and tried another desk."),
    (0.15, " Two colleagues near me see the same thing."))
DETAILS = (
    (0.40, " The screen shows {code}."), (0.30, " I get error message {code}."),
    (0.20, " Each attempt ends with {code} in a red box."), (0.10, " I did not write down the error message."))
SINCE = (
    " Since this morning.", " Since Monday.", " Since last week.", " Since the holidays.",
    " Since lunch.", " Since yesterday.", " Since the move.", " Since the power cut.")
URGENCY = (
    (0.45, ""), (0.25, " This is urgent for me."), (0.20, " I have a deadline tonight."),
    (0.10, " No rush, I found a detour."))
CLOSINGS = (
    (0.40, ""), (0.30, " Thank you for your help."), (0.20, " Please have a look."), (0.10, " Thanks in advance."))
ANSWERS = (
    ((0.35, "Error {code} comes from {cause}."),
     (0.30, "The analysis made in {site} points to {cause}."),
     (0.20, "Root cause at the {site} site: {cause} (code {code})."),
     (0.15, "Behind the {code} message we found {cause}.")),
    ((0.35, "We {fix} as described in {kb}."),
     (0.30, "Following article {kb}, the support team {fix}."),
     (0.20, "In a remote session the technician {fix} (see {kb})."),
     (0.15, "Level two {fix}; {kb} holds the procedure.")),
    ((0.35, "Check: {check}, tested for {minutes} minutes."),
     (0.30, "After a restart and {minutes} minutes of tests, {check}."),
     (0.20, "The caller in {site} confirms that {check}, closed after {minutes} minutes."),
     (0.15, "Since then {check}; next review in {days} days.")),
)
JUNK = ("Solved.", "Done", "Fixed.", "Resolved.", "See attachment", "OK")
