"""French wording of the built-in ticket model (see `tables` for the meaning of each table)."""

# fmt: off
SYMPTOMS = {
    "vpn.drops": (
        "VPN déconnecté sans arrêt", "L’accès distant coupe toutes les cinq minutes",
        "Le client VPN se connecte mais le tunnel tombe au bout de quelques minutes.",
        "Ma session distante est coupée sans cesse quand je suis en télétravail."),
    "vpn.refused": (
        "Le client VPN refuse la connexion", "Accès distant rejeté au démarrage",
        "Le client VPN s’arrête à la négociation et n’ouvre jamais le tunnel.",
        "Dès que je clique sur connecter, la passerelle me rejette."),
    "vpn.slow": (
        "VPN extrêmement lent", "Accès distant très lent depuis la mise à jour",
        "Une fois le VPN monté, chaque application met une éternité à répondre.",
        "Ouvrir un petit document à travers le tunnel prend plus d’une minute."),
    "mail.send": (
        "Impossible d’envoyer un courriel", "Messages bloqués dans la boîte d’envoi",
        "Tous les messages que j’écris restent dans la boîte d’envoi.",
        "Le courrier arrive normalement mais rien ne part de chez moi."),
    "mail.search": (
        "La recherche de messages ne donne rien", "Anciens messages introuvables",
        "Une recherche dans ma boîte rend une liste vide, même pour un mot visible.",
        "La barre de recherche ne trouve aucun message de plus d’une semaine."),
    "mail.late": (
        "Les nouveaux messages arrivent en retard", "Agenda et boîte de réception pas à jour",
        "Ma boîte de réception ne s’actualise que si je relance le programme.",
        "Mes collègues reçoivent le même message deux heures avant moi."),
    "printer.blank": (
        "L’imprimante sort des pages blanches", "Rayures grises sur les impressions",
        "La moitié des feuilles sort blanche et le reste porte des rayures.",
        "Le texte de mes pages imprimées est trop pâle pour être lu."),
    "printer.queue": (
        "Travaux bloqués dans la file d’impression", "Plus rien ne sort de l’imprimante",
        "Mes travaux attendent dans la file et ne démarrent jamais.",
        "J’ai lancé cinq documents et l’imprimante reste muette."),
    "printer.scan": (
        "La numérisation vers la messagerie échoue", "Documents numérisés jamais reçus",
        "Le copieur lit les feuilles mais le fichier n’arrive pas dans ma boîte.",
        "La numérisation d’un contrat finit par un échec de remise à l’écran."),
    "erp.post": (
        "Facture impossible à comptabiliser", "Écriture bloquée dans l’ERP",
        "L’enregistrement d’une facture fournisseur finit en document bloqué.",
        "L’ERP garde mon écriture en attente et affiche un sablier."),
    "erp.slow": (
        "Rapports de l’ERP très longs", "Liste des commandes lente dans l’ERP",
        "Le rapport mensuel demande vingt minutes au lieu d’une.",
        "Chaque clic dans la liste des commandes fige la fenêtre de l’ERP."),
    "erp.denied": (
        "Aucune autorisation dans l’ERP", "Transaction refusée par l’ERP",
        "L’ERP me dit que je ne peux pas ouvrir l’écran des achats.",
        "J’ai changé d’équipe et mes transactions habituelles sont grisées."),
    "wifi.missing": (
        "Réseau sans fil invisible", "Le Wi-Fi du bureau n’est plus listé",
        "Mon portable n’affiche plus le réseau du bureau dans la liste.",
        "L’icône sans fil ne trouve que le réseau des invités."),
    "wifi.roaming": (
        "Wi-Fi perdu en changeant de salle", "Le sans-fil coupe dans le couloir",
        "Quand je vais en salle de réunion, le Wi-Fi tombe et ne revient pas.",
        "La liaison sans fil se rompt chaque fois que je quitte mon bureau."),
    "wifi.rejected": (
        "Le Wi-Fi rejette mon portable", "Échec de connexion au sans-fil",
        "Le réseau du bureau demande une confirmation puis me rejette.",
        "La connexion sans fil échoue alors que le câble fonctionne."),
    "login.badge": (
        "Badge non reconnu", "Le lecteur de badge reste rouge",
        "Je pose mon badge sur le lecteur et le voyant reste rouge.",
        "La borne refuse mon badge alors qu’il ouvre les portes."),
    "login.loop": (
        "La page d’identification tourne en boucle", "Le portail me renvoie à l’accueil",
        "Après la page d’identification, je reviens à la page d’identification.",
        "Le portail m’accepte, clignote puis me demande de recommencer."),
    "login.lock": (
        "Compte verrouillé chaque matin", "Compte sans cesse bloqué",
        "Mon compte est verrouillé chaque matin avant toute saisie.",
        "Le support libère mon compte et une heure après il est bloqué."),
    "share.missing": (
        "Le lecteur de l’équipe a disparu", "Lecteur réseau absent",
        "Le lecteur de notre équipe n’est plus dans l’explorateur.",
        "Après le démarrage, les dossiers partagés ne sont plus listés."),
    "share.denied": (
        "Écriture impossible dans le dossier d’équipe", "Dossier partagé en lecture seule",
        "Je lis le dossier de l’équipe mais l’enregistrement est refusé.",
        "Créer un document dans notre dossier partagé est interdit."),
    "share.full": (
        "Plus de place sur le lecteur d’équipe", "Le lecteur d’équipe annonce disque plein",
        "La copie d’une présentation sur le lecteur s’arrête faute de place.",
        "Le lecteur partagé se dit plein alors que nous avons fait le tri."),
    "meeting.audio": (
        "Pas de son en visioconférence", "Micro muet pendant les appels",
        "Personne ne m’entend en visioconférence et j’entends mal les autres.",
        "Mon casque marche avec la musique mais reste muet en réunion."),
    "meeting.video": (
        "Image figée en visioconférence", "Visioconférences saccadées",
        "L’image se fige dès que trois personnes rejoignent la réunion.",
        "Les écrans partagés m’arrivent flous et immobiles."),
    "meeting.join": (
        "Impossible de rejoindre une visioconférence", "Le bouton rejoindre ne fait rien",
        "Je clique sur rejoindre dans l’invitation et rien ne s’ouvre.",
        "Le programme de réunion reste dans la salle d’attente."),
    "laptop.battery": (
        "Batterie du portable vide en une heure", "Le portable s’éteint sans chargeur",
        "La batterie passe de pleine à vide en moins d’une heure.",
        "Sans le chargeur, mon portable s’arrête en plein appel."),
    "laptop.dock": (
        "Station d’accueil non détectée", "Écrans noirs sur la station d’accueil",
        "Les deux écrans de la station d’accueil restent noirs.",
        "Quand je branche la station, ni clavier ni écran ne réagit."),
    "laptop.boot": (
        "Le portable ne démarre plus", "Portable figé au démarrage",
        "Mon portable affiche le logo et redémarre sans fin.",
        "L’ordinateur se fige sur une page noire avec un curseur."),
}
GENERIC = {
    "vpn": ("Problème de VPN", "Travailler à distance par le VPN m’est impossible."),
    "mail": ("Problème de messagerie", "Ma messagerie ne se comporte pas comme prévu."),
    "printer": ("Problème d’imprimante", "L’imprimante de notre étage est inutilisable."),
    "erp": ("Problème avec l’ERP", "Je ne peux pas finir mon travail dans l’ERP."),
    "wifi": ("Problème de Wi-Fi", "Le Wi-Fi du bureau ne marche pas sur mon portable."),
    "login": ("Problème d’identification", "Je n’arrive pas à m’identifier comme d’habitude."),
    "share": ("Problème de lecteur partagé", "Notre lecteur partagé nous pose des soucis."),
    "meeting": ("Problème de visioconférence", "Je ne peux pas suivre les réunions en ligne correctement."),
    "laptop": ("Problème de portable", "Mon portable est inutilisable dans cet état."),
}
FAMILIES = {
    "network": ("Problème de connexion", "La connexion échoue et je ne peux plus joindre mes collègues."),
    "access": ("Problème d’accès", "Je n’ai plus accès aux documents dont j’ai besoin."),
    "device": ("Plus rien ne fonctionne", "Cela marchait hier et ne fait plus son travail."),
}
CAUSES = {
    "vpn.certificate": (
        "un certificat expiré dans le client VPN", "renouvelé le certificat du client",
        "le tunnel s’ouvre du premier coup"),
    "vpn.profile": (
        "un profil de passerelle dépassé", "remplacé le profil de passerelle",
        "les applications distantes répondent bien"),
    "vpn.packets": (
        "des paquets trop grands pour la box du domicile", "réduit la taille des paquets du tunnel",
        "la session distante tient"),
    "vpn.pool": (
        "une réserve d’adresses épuisée sur la passerelle", "agrandi la réserve d’adresses",
        "les nouveaux tunnels reçoivent une adresse"),
    "mail.quota": (
        "une boîte aux lettres au-delà de son quota", "archivé les anciens dossiers",
        "les messages quittent la boîte d’envoi"),
    "mail.index": (
        "un index de recherche endommagé", "reconstruit l’index de recherche de la boîte",
        "les recherches listent tous les messages"),
    "mail.cache": (
        "un cache local de messagerie corrompu", "supprimé le cache local",
        "la boîte s’actualise toute seule"),
    "printer.toner": (
        "une cartouche de toner usée", "monté une cartouche neuve",
        "les pages de test sortent noires et nettes"),
    "printer.spooler": (
        "un service d’impression bloqué", "vidé la file d’impression",
        "les travaux en attente sortent dans l’ordre"),
    "printer.driver": (
        "un pilote d’imprimante cassé", "remis le pilote d’imprimante précédent",
        "les documents gardent leur mise en page"),
    "printer.relay": (
        "un relais de messagerie fermé au copieur", "ouvert le relais de messagerie au copieur",
        "les numérisations arrivent dans la boîte"),
    "erp.lock": (
        "un verrou de table laissé par un traitement interrompu", "levé le verrou de table",
        "les factures passent sans attente"),
    "erp.statistics": (
        "des statistiques périmées sur la table des commandes", "rafraîchi les statistiques",
        "les rapports finissent en moins d’une minute"),
    "erp.role": (
        "un rôle perdu lors de la réorganisation", "attribué le rôle manquant",
        "l’écran des achats s’ouvre"),
    "wifi.antenna": (
        "une borne sans fil en panne au-dessus du bureau", "échangé la borne sans fil",
        "le réseau du bureau affiche un signal plein"),
    "wifi.driver": (
        "un ancien pilote sans fil", "installé le pilote sans fil actuel",
        "la liaison sans fil tient"),
    "wifi.authority": (
        "un certificat racine absent pour le sans-fil", "déployé le certificat racine",
        "le portable rejoint le réseau tout seul"),
    "login.clock": (
        "une horloge qui dérive sur la borne à badge", "réglé l’horloge de la borne",
        "le lecteur passe au vert"),
    "login.cookies": (
        "des témoins de session périmés dans le navigateur", "effacé les témoins de session",
        "le portail s’ouvre après une identification"),
    "login.phone": (
        "un ancien téléphone qui essaie toujours l’ancienne clé", "retiré l’ancien téléphone",
        "le compte reste ouvert"),
    "share.mapping": (
        "un script de montage terminé trop tôt", "corrigé le script de montage",
        "le lecteur apparaît à chaque démarrage"),
    "share.group": (
        "une place perdue dans le groupe", "remis le demandeur dans le groupe",
        "les nouveaux documents s’enregistrent"),
    "share.volume": (
        "un volume rempli par de vieux instantanés", "supprimé de vieux instantanés",
        "les grosses copies aboutissent"),
    "meeting.sound": (
        "un périphérique audio mal choisi après une mise à jour", "choisi le casque",
        "les deux côtés s’entendent"),
    "meeting.ports": (
        "des ports multimédias bloqués par le pare-feu", "ouvert les ports multimédias sur le pare-feu",
        "l’image et les écrans restent fluides"),
    "meeting.plugin": (
        "un module d’agenda dépassé", "mis à jour le module d’agenda",
        "les réunions s’ouvrent depuis l’invitation"),
    "laptop.cell": (
        "une cellule de batterie usée", "remplacé la batterie",
        "le portable tient sans chargeur"),
    "laptop.supply": (
        "une alimentation défectueuse de la station", "échangé l’alimentation de la station d’accueil",
        "les deux écrans s’allument"),
    "laptop.firmware": (
        "un micrologiciel dépassé sur le portable", "installé le micrologiciel actuel",
        "le portable démarre normalement"),
}
SUFFIXES = ((0.60, ""), (0.20, " - {site}"), (0.20, " ({code})"))
GREETINGS = ((0.35, ""), (0.30, "Bonjour. "), (0.20, "Bonjour à tous. "), (0.15, "Bonsoir. "))
CONTEXTS = (
    (0.35, " Je travaille au bureau de {site}."), (0.30, " Cela se passe sur le site de {site}, au deuxième étage."),
    (0.20, " Je suis à {site} cette semaine et j’ai essayé un autre poste."),
    (0.15, " Deux collègues près de moi voient la même chose."))
DETAILS = (
    (0.40, " L’écran affiche {code}."), (0.30, " J’ai le message d’erreur {code}."),
    (0.20, " Chaque essai finit par {code} dans un cadre rouge."), (0.10, " Je n’ai pas noté le message d’erreur."))
SINCE = (
    " Depuis ce matin.", " Depuis lundi.", " Depuis une semaine.", " Depuis les congés.",
    " Depuis midi.", " Depuis hier.", " Depuis le déménagement.", " Depuis la coupure.")
URGENCY = (
    (0.45, ""), (0.25, " C’est urgent pour moi."), (0.20, " J’ai une échéance ce soir."),
    (0.10, " Rien ne presse, j’ai un détour."))
CLOSINGS = (
    (0.40, ""), (0.30, " Merci pour votre aide."), (0.20, " Pouvez-vous regarder ?"), (0.10, " Merci d’avance."))
ANSWERS = (
    ((0.35, "Origine de l’erreur {code} : {cause}."),
     (0.30, "L’analyse menée à {site} montre {cause}."),
     (0.20, "Cause racine sur le site de {site} : {cause} (code {code})."),
     (0.15, "Derrière le message {code} nous avons trouvé {cause}.")),
    ((0.35, "Nous avons {fix} comme indiqué dans {kb}."),
     (0.30, "Selon l’article {kb}, l’équipe support a {fix}."),
     (0.20, "À distance, le technicien a {fix} (voir {kb})."),
     (0.15, "Le niveau deux a {fix} ; {kb} décrit la procédure.")),
    ((0.35, "Contrôle : {check}, essai de {minutes} minutes."),
     (0.30, "Après redémarrage et {minutes} minutes d’essai, {check}."),
     (0.20, "Le demandeur de {site} confirme que {check}, clos après {minutes} minutes."),
     (0.15, "Depuis, {check} ; prochaine revue dans {days} jours.")),
)
JUNK = ("Résolu.", "Fait", "Corrigé.", "Terminé.", "Voir pièce jointe", "OK")
