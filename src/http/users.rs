//! Users and who I am; tokens and logins are in [`super::tokens`].

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::accounts::{Name, Role};
use super::access::store::{ChangeError, Listed};
use super::access::{LoginError, Who};
use super::body::{HINT, JsonBody, understood};
use super::{App, Caller, Ends, Problem};

/// Listing, making, changing and removing.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(set_own_password))
        .routes(routes!(list, add))
        .routes(routes!(change, remove))
}

/// Whose login or token a request shows.
#[derive(Serialize, ToSchema)]
struct Me {
    /// The user who has logged in; absent for a token, and where no login is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Name>,
    /// The token's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Name>,
    /// What may be done.
    role: Role,
}

/// Who I am and what I may do.
#[utoipa::path(get, path = "/api/v1/me", tag = "users",
    responses((status = 200, description = "of the login or token shown", body = Me)))]
async fn me(caller: Caller) -> Json<Me> {
    let role = caller.role;
    Json(match caller.who {
        Who::Anybody => Me { user: None, token: None, role },
        Who::User(user) => Me { user: Some(user), token: None, role },
        Who::Token(token) => Me { user: None, token: Some(token), role },
    })
}

/// What a user gives to have another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The present one.
    #[schema(example = "quiet-river-7431")]
    present: String,
    /// The one from now on: 8 to 1024 characters, and none of the common ones.
    #[schema(example = "low-cloud-2958", min_length = 8, max_length = 1024)]
    new: String,
}

/// Change one's own password.
///
/// All other logins of this user end. A wrong present password counts as a wrong login.
#[utoipa::path(put, path = "/api/v1/me/password", tag = "users", request_body = NewPassword,
    responses(
        (status = 204, description = "changed"),
        (status = 401, description = "the present password is wrong", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "a token has no password, nor has who need not log in",
            body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "too short or too common", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "too many wrong passwords; see Retry-After", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn set_own_password(
    State(app): State<App>,
    Extension(ends): Extension<Ends>,
    caller: Caller,
    body: JsonBody<NewPassword>,
) -> Result<StatusCode, Problem> {
    let NewPassword { present, new } = understood(body, HINT)?;
    let Who::User(user) = caller.who else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "no password",
            "what this request shows is no user's login",
            "log in with user and password",
        ));
    };
    app.access.confirm(ends.peer.ip(), &user, present).await.map_err(|error| match error {
        LoginError::Wrong => Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong password",
            "the present password is another one",
            "nothing was changed: try again",
        ),
        other => other.into(),
    })?;
    app.access.set_password(user, new, caller.login).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user without the password.
#[derive(Serialize, ToSchema)]
struct User {
    /// What is given at the login.
    name: Name,
    /// What may be done.
    role: Role,
}

/// All who can log in.
#[derive(Serialize, ToSchema)]
struct Users {
    /// `admin` first, who is always there.
    users: Vec<User>,
}

/// Who can log in.
#[utoipa::path(get, path = "/api/v1/users", tag = "users",
    responses((status = 200, description = "all users", body = Users)))]
async fn list(State(app): State<App>) -> Result<Json<Users>, Problem> {
    let users = app.access.users()?.into_iter();
    Ok(Json(Users { users: users.map(|Listed { name, role }| User { name, role }).collect() }))
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// What is given at the login.
    #[schema(value_type = Name)]
    name: String,
    /// What may be done.
    role: Role,
    /// 8 to 1024 characters, and none of the common ones.
    #[schema(example = "quiet-river-7431", min_length = 8, max_length = 1024)]
    password: String,
}

/// Make a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    responses(
        (status = 201, description = "made", body = User),
        (status = 409, description = "there is one of this name, or there are too many",
            body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "not a name, or no password, in detail", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn add(
    State(app): State<App>,
    body: JsonBody<NewUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let NewUser { name, role, password } = understood(body, HINT)?;
    let name: Name = name.parse().map_err(ChangeError::Accounts)?;
    app.access.add_user(name.clone(), role, password).await?;
    log::info!(user = name.text(), role:% = role; "a user was made");
    Ok((StatusCode::CREATED, Json(User { name, role })))
}

/// What changes of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedUser {
    /// What may be done from now on.
    role: Option<Role>,
    /// 8 to 1024 characters, and none of the common ones. All logins of this user end.
    #[schema(example = "low-cloud-2958", min_length = 8, max_length = 1024)]
    password: Option<String>,
}

/// Give a user another role or password.
///
/// The role counts from the next request on; of `admin` only the password can be changed.
#[utoipa::path(patch, path = "/api/v1/users/{name}", tag = "users", request_body = ChangedUser,
    params(("name" = Name, Path, description = "of the user")),
    responses(
        (status = 204, description = "changed"),
        (status = 404, description = "no such user", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "admin stays administrator", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "no password, in detail", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn change(
    State(app): State<App>,
    Path(name): Path<String>,
    body: JsonBody<ChangedUser>,
) -> Result<StatusCode, Problem> {
    let ChangedUser { role, password } = understood(body, HINT)?;
    let name = existing(&name)?;
    // The password first: it may be refused, and then nothing is changed.
    app.access.change_user(name.clone(), role, password).await?;
    log::info!(user = name.text(); "a user was changed");
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a user.
///
/// All logins of this user end, and what is watched with them.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "users",
    params(("name" = Name, Path, description = "of the user")),
    responses(
        (status = 204, description = "removed"),
        (status = 404, description = "no such user", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "admin stays", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn remove(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let name = existing(&name)?;
    app.access.remove_user(name.clone()).await?;
    log::info!(user = name.text(); "a user was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// A name in a path; what is no name is nobody's.
pub(super) fn existing(name: &str) -> Result<Name, ChangeError> {
    use super::access::accounts::AccountsError::Unknown;
    name.parse().map_err(|_| ChangeError::Accounts(Unknown(name.chars().take(32).collect())))
}
