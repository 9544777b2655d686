//! The tables as Diesel sees them, the same on both databases. `item_search` is not here: it is a full-text
//! index of a kind of its own on each, and only `items::store::search` speaks to it.

diesel::table! {
    users (id) {
        id -> BigInt,
        email -> Text,
        username -> Text,
        username_key -> Text,
        full_name -> Nullable<Text>,
        age -> Nullable<Integer>,
        website -> Nullable<Text>,
        role -> Text,
        is_active -> Bool,
        password_hash -> Nullable<Text>,
        credentials_version -> BigInt,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        last_login_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    categories (id) {
        id -> BigInt,
        name -> Text,
        name_key -> Text,
        description -> Nullable<Text>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    items (id) {
        id -> BigInt,
        sku -> Nullable<Text>,
        name -> Text,
        description -> Nullable<Text>,
        price -> BigInt,
        currency -> Text,
        tax_rate -> BigInt,
        is_active -> Bool,
        category_id -> BigInt,
        owner_id -> BigInt,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        images -> Text,
    }
}

diesel::table! {
    item_images (upload_id, item_id) {
        upload_id -> BigInt,
        item_id -> BigInt,
    }
}

diesel::table! {
    posts (id) {
        id -> BigInt,
        title -> Text,
        title_key -> Text,
        content -> Text,
        published -> Bool,
        published_at -> Nullable<BigInt>,
        author_id -> BigInt,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    uploads (id) {
        id -> BigInt,
        key -> Text,
        filename -> Text,
        content_type -> Text,
        size -> BigInt,
        sha256 -> Text,
        owner_id -> BigInt,
        thumbnail -> Nullable<Text>,
        version -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    counters (name, shard) {
        name -> Text,
        shard -> Integer,
        value -> BigInt,
    }
}

diesel::table! {
    changesets (id) {
        id -> BigInt,
        at -> BigInt,
        actor_id -> Nullable<BigInt>,
        actor -> Text,
        door -> Text,
        summary -> Text,
        request_id -> Text,
        address -> Nullable<Text>,
        undoes_id -> Nullable<BigInt>,
        api_key_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    changes (changeset_id, seq) {
        changeset_id -> BigInt,
        seq -> Integer,
        entity -> Text,
        entity_id -> BigInt,
        action -> Text,
        version -> BigInt,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
    }
}

diesel::table! {
    sessions (key_hash) {
        key_hash -> Text,
        user_id -> Nullable<BigInt>,
        state -> Text,
        created_at -> BigInt,
        seen_at -> BigInt,
        expires_at -> BigInt,
        device -> Nullable<Text>,
        address -> Nullable<Text>,
    }
}

diesel::table! {
    refresh_tokens (id) {
        id -> BigInt,
        family -> Text,
        user_id -> BigInt,
        token_hash -> Text,
        credentials_version -> BigInt,
        created_at -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        kind -> Text,
        payload -> Text,
        attempts -> Integer,
        run_at -> BigInt,
        lease -> Nullable<Text>,
        error -> Nullable<Text>,
        parked_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    second_factors (user_id) {
        user_id -> BigInt,
        secret -> Text,
        confirmed_at -> Nullable<BigInt>,
        last_step -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    api_keys (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        prefix -> Text,
        key_hash -> Text,
        scopes -> Text,
        expires_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        version -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    recovery_codes (id) {
        id -> BigInt,
        user_id -> BigInt,
        code_hash -> Text,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    idempotency_keys (id) {
        id -> Text,
        request -> Text,
        status -> Nullable<Integer>,
        headers -> Text,
        body -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    webhooks (id) {
        id -> BigInt,
        url -> Text,
        events -> Text,
        description -> Nullable<Text>,
        is_active -> Bool,
        secret -> Text,
        previous_secret -> Nullable<Text>,
        previous_until -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        disabled_reason -> Nullable<Text>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    fan_outs (id) {
        id -> BigInt,
        changeset_id -> BigInt,
        from_seq -> Integer,
        to_seq -> Integer,
        at -> BigInt,
    }
}

diesel::table! {
    deliveries (id) {
        id -> BigInt,
        webhook_id -> BigInt,
        event_id -> Text,
        event -> Text,
        payload -> Text,
        state -> Text,
        attempts -> Integer,
        next_at -> Nullable<BigInt>,
        lease -> Nullable<Text>,
        status -> Nullable<Integer>,
        error -> Nullable<Text>,
        duration_ms -> Nullable<Integer>,
        response -> Nullable<Text>,
        last_attempt_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::joinable!(items -> categories (category_id));
diesel::joinable!(items -> users (owner_id));
diesel::joinable!(item_images -> items (item_id));
diesel::joinable!(item_images -> uploads (upload_id));
diesel::joinable!(changes -> changesets (changeset_id));
diesel::joinable!(changesets -> api_keys (api_key_id));
diesel::joinable!(api_keys -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    categories,
    items,
    item_images,
    uploads,
    counters,
    changesets,
    changes,
    sessions,
    api_keys
);
diesel::allow_tables_to_appear_in_same_query!(webhooks, deliveries, changesets);
